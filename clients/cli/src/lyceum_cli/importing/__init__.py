"""Moving a community over from CSV files, through the batch calls of the gateway."""
