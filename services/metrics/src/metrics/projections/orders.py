"""Orders with what they charged and when they were paid. Money: the fold halts rather than leave a record out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from eventfold.readmodel import Changes, Draft, Key, Projection, PublicRecord, ReadTable, Rows

TOPICS: Final = ("lyceum.billing.order",)
PLACED: Final = "lyceum.billing.order.placed.v1"
PAID: Final = "lyceum.billing.order.paid.v1"


class OrderRow(NamedTuple):
    """One order. `charged_minor` in minor units of `currency`; both times are business time."""

    order_id: str
    member_id: str
    charged_minor: int
    currency: str
    placed_at: datetime | None
    paid_at: datetime | None


ORDERS: Final = ReadTable("placed_order", OrderRow)


def keys(events: Sequence[PublicRecord]) -> Mapping[str, list[Key]]:
    """The events' orders."""
    return {ORDERS.name: [(event.data["order_id"],) for event in events if event.type in (PLACED, PAID)]}


def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """Each fact carries the whole order and adds its own time, so that either may come first."""
    draft = Draft(rows)
    for event in events:
        if event.type in (PLACED, PAID):
            draft.put(ORDERS, _order(draft.get(ORDERS, (event.data["order_id"],)), event))
    return draft.changes()


def _order(row: OrderRow | None, event: PublicRecord) -> OrderRow:
    data = event.data
    charged = data["charged"]
    return OrderRow(
        data["order_id"], data["member_id"], charged["amount_minor"], charged["currency"],
        placed_at=data["placed_at"] if event.type == PLACED else row and row.placed_at,
        paid_at=data["paid_at"] if event.type == PAID else row and row.paid_at,
    )  # fmt: skip


ORDER_FACTS: Final = Projection("orders", TOPICS, (ORDERS,), keys, fold, halts=True)
