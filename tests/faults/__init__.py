"""Faults on real processes: `python -m tests.faults --help`."""
