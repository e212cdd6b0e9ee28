"""Queries over projections."""
