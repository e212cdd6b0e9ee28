"""Peers, in an environment of their own (requirements.txt)."""
