"""The published language: `contracts.avro` for events; the generated stubs are in the `lyceum` package beside."""
