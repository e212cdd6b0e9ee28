"""Generated from schemas/proto; see tools/generate."""
