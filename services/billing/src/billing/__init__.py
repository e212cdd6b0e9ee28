"""Prices, promotions, orders, payments, entitlements and the revenue ledger."""
