"""PostgreSQL as all rooms use it: sessions, arguments, locks, and the tables themselves."""
