"""What is decided and told: deciders, streams and events, their encodings, due dates, public forms."""
