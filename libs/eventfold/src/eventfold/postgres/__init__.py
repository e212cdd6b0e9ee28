"""PostgreSQL for all subpackages: sessions, arguments, locks, and eventfold's own tables."""
