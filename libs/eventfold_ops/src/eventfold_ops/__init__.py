"""Tools for operators of an eventfold deployment."""
