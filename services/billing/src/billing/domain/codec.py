"""The stored names and versions of billing's events."""

from __future__ import annotations

from billing.domain.entitlement import EntitlementGranted
from billing.domain.order import OrderPaid, OrderPlaced
from billing.domain.payment import PaymentCaptured, PaymentFailed, PaymentInitiated
from billing.domain.product import ProductPriced
from billing.domain.promotion import PromotionScheduled
from eventfold import EventCodec

CODEC = EventCodec({
    ProductPriced: ("product.priced", 1),
    PromotionScheduled: ("promotion.scheduled", 1),
    OrderPlaced: ("order.placed", 1),
    OrderPaid: ("order.paid", 1),
    PaymentInitiated: ("payment.initiated", 1),
    PaymentCaptured: ("payment.captured", 1),
    PaymentFailed: ("payment.failed", 1),
    EntitlementGranted: ("entitlement.granted", 1),
})  # fmt: skip
