"""Reading what one has written: consistency tokens, and tables that are followed in memory."""
