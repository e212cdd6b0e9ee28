"""What to read next: facts folded from behaviour, a copy of them in memory, and the answers computed from it."""
