"""The topics that billing emits on and reads, without prefix."""

from __future__ import annotations

PRODUCT = "lyceum.billing.product"
PROMOTION = "lyceum.billing.promotion"
ORDER = "lyceum.billing.order"
PAYMENT = "lyceum.billing.payment"
ENTITLEMENT = "lyceum.billing.entitlement"
EMITTED = (PRODUCT, PROMOTION, ORDER, PAYMENT, ENTITLEMENT)

CONTENT = "lyceum.catalog.content"

ORDER_PLACED = f"{ORDER}.placed.v1"
ORDER_PAID = f"{ORDER}.paid.v1"
PRODUCT_PRICED = f"{PRODUCT}.priced.v1"
PROMOTION_SCHEDULED = f"{PROMOTION}.scheduled.v1"
PAYMENT_INITIATED = f"{PAYMENT}.initiated.v1"
PAYMENT_CAPTURED = f"{PAYMENT}.captured.v1"
PAYMENT_FAILED = f"{PAYMENT}.failed.v1"
ENTITLEMENT_GRANTED = f"{ENTITLEMENT}.granted.v1"
CONTENT_PUBLISHED = f"{CONTENT}.published.v1"
