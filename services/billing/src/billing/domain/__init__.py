"""Pure decisions about money: products, promotions, quotes, orders, payments, entitlements."""
