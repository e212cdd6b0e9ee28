"""Which recommendations members were shown: one event for each answer, at most once."""
