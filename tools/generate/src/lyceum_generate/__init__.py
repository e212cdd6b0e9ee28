"""Generates files from the schemas; run `python -m lyceum_generate --help`."""
