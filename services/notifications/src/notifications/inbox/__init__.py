"""What happened to members, for themselves: a list, and live as it happens."""
