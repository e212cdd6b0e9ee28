"""Public events of billing. Generated from schemas/avro by `make generate`."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict

from eventfold import PublicType


class EntitlementGranted(TypedDict):
    """A member may use a product."""

    entitlement_id: str
    member_id: str
    product_id: str
    source: str
    """purchase, import or gift."""
    order_id: str | None
    granted_at: datetime
    expires_at: datetime | None
    """Null: for ever."""


class Money(TypedDict):
    """Integer minor units of an ISO 4217 currency."""

    amount_minor: int
    currency: str


class OrderPaid(TypedDict):
    """An order is paid; carries all that ledger and metrics need."""

    order_id: str
    member_id: str
    creator_id: str
    product_id: str
    list: Money
    discount: Money
    charged: Money
    """list - discount."""
    promotion_id: str | None
    platform_fee_bps: int
    """Basis points of the charged amount."""
    provider: str
    """simulator, imported, or free."""
    payment_id: str | None
    paid_at: datetime


class OrderPlaced(TypedDict):
    """A member placed an order at a quoted price."""

    order_id: str
    member_id: str
    creator_id: str
    product_id: str
    list: Money
    discount: Money
    charged: Money
    """list - discount."""
    promotion_id: str | None
    placed_at: datetime


class PaymentCaptured(TypedDict):
    """A provider reports that the money has come."""

    payment_id: str
    order_id: str
    member_id: str
    provider: str
    merchant_number: str
    provider_reference: str
    amount: Money
    captured_at: datetime


class PaymentFailed(TypedDict):
    """A provider reports that the payment will not come."""

    payment_id: str
    order_id: str
    member_id: str
    provider: str
    merchant_number: str
    reason: str
    failed_at: datetime


class PaymentInitiated(TypedDict):
    """A payment was begun under a fixed merchant number."""

    payment_id: str
    order_id: str
    member_id: str
    provider: str
    merchant_number: str
    amount: Money
    initiated_at: datetime


class ProductPriced(TypedDict):
    """A product got a price, or another one."""

    product_id: str
    creator_id: str
    title: str
    pricing: str
    """fixed or open_amount."""
    price: Money
    """The price, or the least amount."""
    previous: Money | None
    priced_at: datetime


class PromotionScheduled(TypedDict):
    """A limited-time promotion was announced."""

    promotion_id: str
    creator_id: str
    name: str
    product_ids: list[str]
    amount_off: Money | None
    percent_off_bps: int | None
    """Basis points."""
    starts_at: datetime
    ends_at: datetime
    """Not included."""


ENTITLEMENT_GRANTED: Final = PublicType("lyceum.billing.entitlement.granted.v1", EntitlementGranted)
ORDER_PAID: Final = PublicType("lyceum.billing.order.paid.v1", OrderPaid)
ORDER_PLACED: Final = PublicType("lyceum.billing.order.placed.v1", OrderPlaced)
PAYMENT_CAPTURED: Final = PublicType("lyceum.billing.payment.captured.v1", PaymentCaptured)
PAYMENT_FAILED: Final = PublicType("lyceum.billing.payment.failed.v1", PaymentFailed)
PAYMENT_INITIATED: Final = PublicType("lyceum.billing.payment.initiated.v1", PaymentInitiated)
PRODUCT_PRICED: Final = PublicType("lyceum.billing.product.priced.v1", ProductPriced)
PROMOTION_SCHEDULED: Final = PublicType("lyceum.billing.promotion.scheduled.v1", PromotionScheduled)

TOPICS: Final = (
    "lyceum.billing.entitlement",
    "lyceum.billing.order",
    "lyceum.billing.payment",
    "lyceum.billing.product",
    "lyceum.billing.promotion",
)
"""What billing emits on, without prefix."""
