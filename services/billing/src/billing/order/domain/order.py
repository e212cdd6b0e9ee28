"""Orders: placed from a quote (or imported), then paid."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, assert_never

from billing.money import Money
from billing.pricing.domain.quote import Price, Quote
from eventfold import Decider, Stored, StreamType
from eventfold.errors import AlreadyExists, NotFound, WrongState

_NAMESPACE = uuid.UUID("3d1c5f0a-6f43-5c0e-9a0b-7d3c8a9e4b10")

FREE, IMPORTED = "free", "imported"
"""Providers of orders that nobody has to pay here."""


def order_id_of(quote_id: str) -> str:
    """The one order that a quote can make."""
    return str(uuid.uuid5(_NAMESPACE, quote_id))


class QuoteExpired(WrongState):
    """The quote's time is over: ask for a new one."""

    code = "QUOTE_EXPIRED"


@dataclass(frozen=True, slots=True)
class Terms:
    """What was bought, by whom, from whom and for how much; settled when the order is placed."""

    order_id: str
    member_id: str
    creator_id: str
    product_id: str
    list_price: Money
    discount: Money
    charged: Money
    promotion_id: str | None
    platform_fee_bps: int


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Place the order of a verified quote; a quote that has made its order may be repeated for ever."""

    terms: Terms
    expires_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """Record an order that was placed and paid elsewhere."""

    terms: Terms


@dataclass(frozen=True, slots=True)
class MarkPaid:
    """The order's money has come."""

    order_id: str
    payment_id: str
    provider: str


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """A member placed an order at a quoted price."""

    terms: Terms


@dataclass(frozen=True, slots=True)
class OrderPaid:
    """An order is paid; carries all that ledger and metrics need."""

    terms: Terms
    provider: str
    payment_id: str | None


OrderCommand = PlaceOrder | ImportOrder | MarkPaid
OrderEvent = OrderPlaced | OrderPaid


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stands; None in `terms` while there is none of that id."""

    terms: Terms | None = None
    status: Literal["absent", "placed", "paid"] = "absent"


def terms_of(order_id: str, quote: Quote, platform_fee_bps: int) -> Terms:
    """The terms that a quote settles."""
    price: Price = quote.price
    return Terms(
        order_id=order_id,
        member_id=quote.member_id,
        creator_id=quote.creator_id,
        product_id=quote.product_id,
        list_price=price.list_price,
        discount=price.discount,
        charged=price.charged,
        promotion_id=quote.promotion_id,
        platform_fee_bps=platform_fee_bps,
    )


def decide(command: OrderCommand, state: Order) -> Sequence[OrderEvent]:
    """Raises `QuoteExpired`, `AlreadyExists` when an imported id stands for other terms, `NotFound`."""
    match command:
        case PlaceOrder():
            return _place(command, state)
        case ImportOrder():
            return _import(command, state)
        case MarkPaid():
            return _mark_paid(command, state)
        case _:
            assert_never(command)


def _place(command: PlaceOrder, state: Order) -> Sequence[OrderEvent]:
    if state.terms is not None:
        return []
    if command.now >= command.expires_at:
        raise QuoteExpired("the quote has expired", field="quote.expires_at")
    placed = OrderPlaced(command.terms)
    return [placed, OrderPaid(command.terms, FREE, None)] if command.terms.charged.amount_minor == 0 else [placed]


def _import(command: ImportOrder, state: Order) -> Sequence[OrderEvent]:
    if state.terms is None:
        return [OrderPlaced(command.terms), OrderPaid(command.terms, IMPORTED, None)]
    if _unlike(state.terms, command.terms):
        raise AlreadyExists("the external id stands for another order", field="external_id")
    return []


def _unlike(recorded: Terms, wanted: Terms) -> bool:
    """Whether two descriptions tell of different orders; the fee is ours, not the data set's."""
    return any(
        getattr(recorded, name) != getattr(wanted, name)
        for name in ("member_id", "product_id", "list_price", "charged", "promotion_id")
    )


def _mark_paid(command: MarkPaid, state: Order) -> Sequence[OrderEvent]:
    if state.terms is None:
        raise NotFound("there is no such order", order_id=command.order_id)
    return [] if state.status == "paid" else [OrderPaid(state.terms, command.provider, command.payment_id)]


def evolve(_: Order, event: OrderEvent) -> Order:
    """Placed, then paid."""
    match event:
        case OrderPlaced(terms=terms):
            return Order(terms, "placed")
        case OrderPaid(terms=terms):
            return Order(terms, "paid")
        case _:
            assert_never(event)


ORDER = StreamType("order", Decider(Order(), decide, evolve))

EVENTS: Final[Stored] = {OrderPlaced: ("order.placed", 1), OrderPaid: ("order.paid", 1)}
