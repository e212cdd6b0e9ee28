"""Passwords, tokens, notifications and queries."""
