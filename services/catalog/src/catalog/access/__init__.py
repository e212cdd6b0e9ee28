"""Who may read what: the one decision, and the mirror of what billing grants."""
