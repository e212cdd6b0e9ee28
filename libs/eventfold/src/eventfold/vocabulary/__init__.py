"""The terms of decisions and events: deciders, streams and events, their encodings, due dates, public forms."""
