"""From the store to Kafka: the relay and its rules, topics with their generations, histories."""
