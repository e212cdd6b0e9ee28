"""A simulated payment provider."""
