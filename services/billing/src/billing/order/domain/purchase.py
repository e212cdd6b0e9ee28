"""Purchases of content: a member buys the same content once, however many orders there are.

The order that is being paid, or was paid, holds the purchase. Another order takes it over only from one whose payments
have all failed. Products that are no content (a gift, a month of support) may be bought again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eventfold import Ask, Decider, Stored, StreamType
from eventfold.errors import WrongState

ALREADY_BOUGHT = "you have bought this content 已购买过该内容"
BEING_BOUGHT = "another order of this content is being paid 另一订单正在支付"


class AlreadyBought(WrongState):
    """The member has bought this content before."""

    code = "ALREADY_BOUGHT"


class BeingBought(WrongState):
    """Another order of this content is being paid by the same member."""

    code = "BEING_BOUGHT"


@dataclass(frozen=True, slots=True)
class HoldPurchase:
    """Let this order hold the purchase. It may be taken over from `failed`, an order whose payments have failed. An
    order that was paid elsewhere leaves an earlier holder in place."""

    order_id: str
    failed: str | None = None
    paid_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class PurchaseHeld:
    """The purchase belongs to an order."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Purchase:
    """Which order holds the purchase; None while there is none."""

    order_id: str | None = None


def decide(command: HoldPurchase, state: Purchase) -> Sequence[PurchaseHeld]:
    """Raises `BeingBought` where another order holds the purchase."""
    if state.order_id == command.order_id or (command.paid_elsewhere and state.order_id):
        return []
    if state.order_id not in (None, command.failed):
        raise BeingBought(BEING_BOUGHT, order_id=command.order_id)
    return [PurchaseHeld(command.order_id)]


def evolve(_: Purchase, event: PurchaseHeld) -> Purchase:
    """The newest holder."""
    return Purchase(event.order_id)


PURCHASE = StreamType("purchase", Decider(Purchase(), decide, evolve))

EVENTS: Final[Stored] = {PurchaseHeld: ("purchase.held", 1)}


def purchase_of(member_id: str, product_id: str) -> str:
    """The id of a member's purchase of a content."""
    return f"{member_id}/{product_id}"


def holding(member_id: str, product_id: str, command: HoldPurchase) -> Ask:
    """The command as it is asked."""
    return Ask(PURCHASE, purchase_of(member_id, product_id), command)
