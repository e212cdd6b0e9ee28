"""What was bought: orders from quotes, orders from elsewhere, and how far each has come."""
