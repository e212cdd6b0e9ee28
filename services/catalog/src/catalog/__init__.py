"""Content, what members do with it, and who may read it."""
