"""Personal data, sealed under its subject's key."""
