"""Pure folds of public events into rows."""
