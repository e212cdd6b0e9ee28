"""Use cases: the commands that each request gives to the deciders."""
