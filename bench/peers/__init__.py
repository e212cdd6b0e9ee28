"""Peers, in their own environment (requirements.txt)."""
