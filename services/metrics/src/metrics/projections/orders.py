"""Orders with their charged amounts and payment times. Because this is money, the fold halts rather than skip a
record."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import billing
from eventfold import PublicRecord, ReadTable, becomes, projection


class OrderRow(NamedTuple):
    """One order. `charged_minor` in minor units of `currency`; both times are business time."""

    order_id: str
    member_id: str
    charged_minor: int
    currency: str
    placed_at: datetime | None
    paid_at: datetime | None


ORDERS: Final = ReadTable("placed_order", OrderRow)


def _placed(row: OrderRow | None, event: PublicRecord[billing.OrderPlaced]) -> OrderRow:
    return _order(event.data, event.data["placed_at"], row and row.paid_at)


def _paid(row: OrderRow | None, event: PublicRecord[billing.OrderPaid]) -> OrderRow:
    return _order(event.data, row and row.placed_at, event.data["paid_at"])


def _order(
    data: billing.OrderPlaced | billing.OrderPaid, placed_at: datetime | None, paid_at: datetime | None
) -> OrderRow:
    charged = data["charged"]
    return OrderRow(
        order_id=data["order_id"],
        member_id=data["member_id"],
        charged_minor=charged["amount_minor"],
        currency=charged["currency"],
        placed_at=placed_at,
        paid_at=paid_at,
    )


# Each event carries the whole order and adds its own time, so either may come first.
ORDER_FACTS: Final = projection(
    "orders", becomes(ORDERS, billing.ORDER_PLACED, _placed), becomes(ORDERS, billing.ORDER_PAID, _paid)
)
