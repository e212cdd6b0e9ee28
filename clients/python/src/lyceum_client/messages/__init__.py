"""Generated from schemas/proto by `make generate`: messages."""
