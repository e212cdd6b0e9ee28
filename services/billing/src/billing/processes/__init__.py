"""Pure reactions of billing to public events."""
