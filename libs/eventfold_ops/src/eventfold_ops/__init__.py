"""Tools for those who operate an eventfold deployment."""
