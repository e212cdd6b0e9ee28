"""The public events, typed. Generated from schemas/avro."""
