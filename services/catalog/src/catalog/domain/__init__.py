"""Pure decisions: content, interactions, access."""
