"""Use cases: what a call or a provider asks of the domain."""
