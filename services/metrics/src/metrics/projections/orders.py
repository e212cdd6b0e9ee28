"""Orders with their amounts, in minor units of the order's currency, and their times. Because this is money, the fold
halts rather than skip a record."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import billing
from eventfold import PublicRecord, ReadTable, becomes, projection

BPS: Final = 10_000


class OrderRow(NamedTuple):
    """One order: `list_minor` - `discount_minor` = `charged_minor`, of which the platform keeps `fee_minor` once it is
    paid.

    `placed_at` and `paid_at` are business time; `recorded_at` is when the payment was recorded, `backfill` whether it
    was imported.
    """

    order_id: str
    member_id: str
    charged_minor: int
    currency: str
    placed_at: datetime | None
    paid_at: datetime | None
    creator_id: str = ""
    product_id: str = ""
    list_minor: int = 0
    discount_minor: int = 0
    fee_minor: int | None = None
    promotion_id: str | None = None
    recorded_at: datetime | None = None
    backfill: bool = False


ORDERS: Final = ReadTable("placed_order", OrderRow)


def _placed(row: OrderRow | None, event: PublicRecord[billing.OrderPlaced]) -> OrderRow:
    return (row or _order(event.data))._replace(placed_at=event.data["placed_at"])


def _paid(row: OrderRow | None, event: PublicRecord[billing.OrderPaid]) -> OrderRow:
    charged_minor = event.data["charged"]["amount_minor"]
    return (row or _order(event.data))._replace(
        paid_at=event.data["paid_at"],
        fee_minor=charged_minor * event.data["platform_fee_bps"] // BPS,  # as billing's ledger rounds it
        recorded_at=event.recorded_at,
        backfill=event.backfill,
    )


def _order(data: billing.OrderPlaced | billing.OrderPaid) -> OrderRow:
    charged = data["charged"]
    return OrderRow(
        order_id=data["order_id"],
        member_id=data["member_id"],
        charged_minor=charged["amount_minor"],
        currency=charged["currency"],
        placed_at=None,
        paid_at=None,
        creator_id=data["creator_id"],
        product_id=data["product_id"],
        list_minor=data["list"]["amount_minor"],
        discount_minor=data["discount"]["amount_minor"],
        promotion_id=data["promotion_id"],
    )


# Each event carries the whole order and adds its own facts, so either may come first.
ORDER_FACTS: Final = projection(
    "orders", becomes(ORDERS, billing.ORDER_PLACED, _placed), becomes(ORDERS, billing.ORDER_PAID, _paid)
)
