"""Retention, activity and revenue, folded from public events and answered with formula, window and freshness."""
