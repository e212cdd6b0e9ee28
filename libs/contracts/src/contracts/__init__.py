"""The published language: `contracts.avro` for events; the generated stubs live in the `lyceum` package beside."""
