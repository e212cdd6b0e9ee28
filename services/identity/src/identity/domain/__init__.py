"""Pure decisions: members, usernames, sessions."""
