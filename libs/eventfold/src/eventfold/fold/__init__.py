"""From Kafka to tables: projections and processes, what they have applied, and the worker that runs them."""
