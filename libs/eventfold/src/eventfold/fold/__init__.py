"""From Kafka to tables: projections and processes, their positions, and the worker that runs them."""
