"""Pure folds of public events into the rows that queries read."""
