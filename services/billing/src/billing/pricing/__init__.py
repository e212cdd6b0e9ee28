"""What things cost: products with their prices, promotions, quotes; and who may sell what."""
