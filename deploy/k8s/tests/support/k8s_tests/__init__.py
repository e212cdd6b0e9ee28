"""Shared by the tests of manifests."""
