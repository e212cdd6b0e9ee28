"""Retention, activity and revenue, folded from public events. Answers state formula, window and freshness."""
