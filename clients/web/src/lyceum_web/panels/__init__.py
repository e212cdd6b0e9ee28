"""The panels of the dashboard: one module each, in the order of `registry`."""
