"""Sends real input through a running Lyceum, and compares its answers with those of an independent oracle."""
