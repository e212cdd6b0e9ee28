"""Products, promotions, and the quotes that follow from them."""
