"""Event sourcing on PostgreSQL and Kafka with Faust as its stream engine; see the README beside this package."""
