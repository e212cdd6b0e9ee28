"""Real input through a running Lyceum, its answers beside those of an oracle that knows nothing of it."""
