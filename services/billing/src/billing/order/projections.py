"""The order book: every order with what it cost and how far it has come."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import billing as public
from contracts.events.identity import MEMBER_REGISTERED
from eventfold import FoldGroup, PublicRecord, ReadTable, becomes, projection, puts


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


class MemberRow(NamedTuple):
    """A member who can be told of as a buyer."""

    member_id: str


ORDERS = ReadTable("order_book", OrderRow)
MEMBERS = ReadTable("member", MemberRow)


def _placed(row: OrderRow | None, event: PublicRecord[public.OrderPlaced]) -> OrderRow:
    return (row or _row(event))._replace(placed_at=event.data["placed_at"])


def _paid(row: OrderRow | None, event: PublicRecord[public.OrderPaid]) -> OrderRow:
    return (row or _row(event))._replace(paid_at=event.data["paid_at"])


def _row(event: PublicRecord[public.OrderPlaced] | PublicRecord[public.OrderPaid]) -> OrderRow:
    """A row from either fact; should the payment come first, its time stands for the placing until that comes."""
    data = event.data
    return OrderRow(
        order_id=data["order_id"],
        member_id=data["member_id"],
        creator_id=data["creator_id"],
        product_id=data["product_id"],
        currency=data["charged"]["currency"],
        list_minor=data["list"]["amount_minor"],
        discount_minor=data["discount"]["amount_minor"],
        charged_minor=data["charged"]["amount_minor"],
        promotion_id=data["promotion_id"],
        placed_at=event.occurred_at,
        paid_at=None,
    )


# Both facts carry the whole order; each adds its own moment.
ORDER_BOOK = projection(
    "order_book",
    becomes(ORDERS, public.ORDER_PLACED, _placed),
    becomes(ORDERS, public.ORDER_PAID, _paid),
    partition_local=True,
)

KNOWN_MEMBERS = projection("known_members", puts(MEMBERS, MEMBER_REGISTERED), partition_local=True)

GROUPS: Final = (FoldGroup("money", (ORDER_BOOK, KNOWN_MEMBERS)),)
