"""Deliveries: what happened, made ready for each endpoint that is told of it, and sent until it has arrived."""
