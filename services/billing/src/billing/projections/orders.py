"""The order book: every order with what it cost and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from billing import topics
from eventfold.readmodel import Changes, Draft, Key, Projection, PublicRecord, ReadTable, Rows


class OrderRow(NamedTuple):
    """An order; paid once `paid_at` is set."""

    order_id: str
    member_id: str
    creator_id: str
    product_id: str
    currency: str
    list_minor: int
    discount_minor: int
    charged_minor: int
    promotion_id: str | None
    placed_at: datetime
    paid_at: datetime | None


ORDERS = ReadTable("order_book", OrderRow)


def keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    """One row for each order."""
    return {ORDERS.name: [(event.data["order_id"],) for event in events]}


def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """Both facts carry the whole order; each adds its own moment."""
    draft = Draft(rows)
    for event in events:
        row = draft.get(ORDERS, (event.data["order_id"],)) or _row(event)
        if event.type == topics.ORDER_PLACED:
            draft.put(ORDERS, row._replace(placed_at=event.data["placed_at"]))
        elif event.type == topics.ORDER_PAID:
            draft.put(ORDERS, row._replace(paid_at=event.data["paid_at"]))
    return draft.changes()


def _row(event: PublicRecord) -> OrderRow:
    """A row from either fact; should the payment come first, its time stands for the placing until that comes."""
    data = event.data
    return OrderRow(
        data["order_id"], data["member_id"], data["creator_id"], data["product_id"], data["charged"]["currency"],
        data["list"]["amount_minor"], data["discount"]["amount_minor"], data["charged"]["amount_minor"],
        data["promotion_id"], event.occurred_at, None,
    )  # fmt: skip


ORDER_BOOK = Projection("order_book", (topics.ORDER,), (ORDERS,), keys, fold, halts=True, partition_local=True)
