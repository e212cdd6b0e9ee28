"""The one thing that the web client speaks to."""
