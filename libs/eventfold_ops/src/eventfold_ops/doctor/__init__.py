"""Finds problems of a deployment, and the next step for each."""
