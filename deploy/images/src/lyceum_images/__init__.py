"""The container images of the tree: built, checked, listed with what is in them, and started together."""
