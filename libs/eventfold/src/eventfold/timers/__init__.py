"""Actions without a caller: due dates that are looked at, and calls to providers that are carried out."""
