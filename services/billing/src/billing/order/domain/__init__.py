"""Orders, and the purchases of content that they hold."""
