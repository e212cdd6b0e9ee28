"""Content: published, read under the access decision, listed with what members did with it."""
