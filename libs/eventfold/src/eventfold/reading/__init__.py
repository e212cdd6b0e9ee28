"""Reading one's own writes with consistency tokens, and following tables in memory."""
