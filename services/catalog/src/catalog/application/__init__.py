"""Use cases: what a request makes the deciders decide."""
