"""Webhook endpoints: addresses that are told of events, with their secrets."""
