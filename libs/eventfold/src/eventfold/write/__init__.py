"""The store: streams are loaded, decisions taken and their events appended, in one transaction."""
