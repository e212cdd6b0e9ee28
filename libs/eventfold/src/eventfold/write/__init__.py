"""The store: loads streams, takes decisions and appends their events, in one transaction."""
