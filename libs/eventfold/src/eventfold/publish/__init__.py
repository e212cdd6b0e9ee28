"""From the store to Kafka: the relay and what it keeps to, topics with their generations, histories."""
