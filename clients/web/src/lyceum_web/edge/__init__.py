"""What holds for every request: bounds, headers, forms, the log."""
