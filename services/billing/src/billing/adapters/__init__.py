"""Databases, key files and providers, behind what the application needs of them."""
