"""Use cases of paying: an intent is recorded first, then the provider is asked, then its reports are recorded."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from billing.commands import EdgeFacts
from billing.order.domain.order import ORDER, MarkPaid, Order, Terms
from billing.order.domain.purchase import (
    ALREADY_BOUGHT,
    BEING_BOUGHT,
    PURCHASE,
    AlreadyBought,
    BeingBought,
    HoldPurchase,
    holding,
    purchase_of,
)
from billing.payment import domain as payment
from billing.payment.domain import PAYMENT, Capture, Fail, Initiate, Intent, Payment
from billing.payment.provider import Provider, ProviderUnavailable, Report
from billing.product_ids import is_content_id
from eventfold import Ask, Context, EventStore, Handled, Item, Pool
from eventfold.errors import InvalidInput, NotFound, WrongState

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Started:
    """A recorded intent, and the command's result."""

    intent: Intent
    merchant_number: str
    handled: Handled


def asks_of(intent: Intent, report: Report) -> tuple[Ask, ...]:
    """The commands that record a report of the intent's provider: capture and the order's payment together. None while
    it still waits."""
    match report.status:
        case "pending":
            return ()
        case "failed":
            return (failing(intent, report.reason),)
        case "paid":
            capture = Capture(intent.payment_id, intent.provider, report.provider_reference, report.amount)
            paid = MarkPaid(intent.order_id, intent.payment_id, intent.provider)
            return Ask(PAYMENT, intent.payment_id, capture), Ask(ORDER, intent.order_id, paid)
        case _:
            assert_never(report.status)


def failing(intent: Intent, reason: str) -> Ask:
    """The command that records that the money will not come."""
    return Ask(PAYMENT, intent.payment_id, Fail(intent.payment_id, intent.provider, reason))


class Paying:
    """Takes the decisions of paying, through the providers given by name."""

    def __init__(self, store: EventStore, pool: Pool, providers: Mapping[str, Provider]) -> None:
        self._store = store
        self._pool = pool
        self._providers = providers

    def provider(self, name: str) -> Provider:
        """The provider of that name. Raises `InvalidInput` where it is not configured."""
        if name not in self._providers:
            raise InvalidInput("no such payment provider here", field="provider")
        return self._providers[name]

    async def start(self, member_id: str, order_id: str, provider: str, command: EdgeFacts) -> Started:
        """Record the intent to pay an order; one that waits already is taken up again.

        Raises `NotFound` for an order that is not the member's, `WrongState` for one that is paid or has failed
        `MAX_ATTEMPTS` payments, `AlreadyBought` and `BeingBought` where another order of the content is in the way.
        """
        self.provider(provider)
        order, attempts = await self._order(order_id)
        terms = _payable(order, member_id, order_id)
        intent = _next(terms, attempts, provider)
        handled = await self._store.handle(
            Item((*await self._holding(terms), Ask(PAYMENT, intent.payment_id, Initiate(intent)))),
            command.context,
            idempotency=command.idempotency,
            answer=lambda _: {"payment_id": intent.payment_id},
        )
        payment_id = str(handled.answer["payment_id"])
        recorded = intent if payment_id == intent.payment_id else (await self.payment(payment_id)).intent or intent
        return Started(recorded, payment.merchant_number_of(payment_id), handled)

    async def ask_provider(self, started: Started) -> str:
        """Carry the intent out; returns where the buyer pays, or nothing when the provider does not answer now: the
        reconciler then asks again."""
        try:
            asked = await self.provider(started.intent.provider).execute(started.merchant_number, started.intent)
            return asked.pay_url
        except ProviderUnavailable as failure:
            log.warning("provider not reached", extra={"payment_id": started.intent.payment_id, "why": str(failure)})
            return ""

    async def take_callback(
        self, provider: str, headers: Mapping[str, str], body: bytes, now: datetime, context: Context
    ) -> Handled | None:
        """Verify a provider's callback and record what it says; one that repeats is answered alike."""
        report = await self.provider(provider).read_callback(headers, body, now)
        return await self.settle(provider, report, context)

    async def settle(self, provider: str, report: Report, context: Context) -> Handled | None:
        """Record what a provider reports; None while it still waits.

        Raises `NotFound` for a payment that is not ours, and what the payment's decider raises.
        """
        payment_id = payment.payment_id_from(report.merchant_number)
        intent = (await self.payment(payment_id)).intent
        if intent is None or intent.provider != provider:
            raise NotFound("there is no payment of this merchant number", field="merchant_number")
        asks = asks_of(intent, report)
        return await self._store.handle(Item(asks), context) if asks else None

    async def payment(self, payment_id: str) -> Payment:
        """A payment as it stands."""
        async with self._pool.connection() as conn:
            state: Payment = await self._store.state(conn, PAYMENT.at(payment_id))
            return state

    async def _holding(self, terms: Terms) -> tuple[Ask, ...]:
        """What makes the order hold the purchase of its content; nothing for products that may be bought again."""
        if not is_content_id(terms.product_id):
            return ()
        purchase = PURCHASE.at(purchase_of(terms.member_id, terms.product_id))
        holder: str | None = (await self._store.current(purchase)).order_id
        failed = None if holder in (None, terms.order_id) else holder
        if failed is not None:
            check_given_up(*await self._order(failed))
        return (holding(terms.member_id, terms.product_id, HoldPurchase(terms.order_id, failed)),)

    async def _order(self, order_id: str) -> tuple[Order, dict[str, Payment]]:
        """An order and its payments in the order of attempts."""
        ids = [payment.payment_id_of(order_id, attempt) for attempt in range(1, payment.MAX_ATTEMPTS + 1)]
        async with self._pool.connection() as conn:
            found = await self._store.states(conn, [ORDER.at(order_id), *map(PAYMENT.at, ids)])
        return found[ORDER.stream(order_id)], {id_: found[PAYMENT.stream(id_)] for id_ in ids}


def _payable(order: Order, member_id: str, order_id: str) -> Terms:
    if order.terms is None or order.terms.member_id != member_id:
        raise NotFound("there is no such order", field="order_id", order_id=order_id)
    if order.status == "paid":
        raise WrongState("the order is paid", order_id=order_id)
    return order.terms


def _next(terms: Terms, attempts: Mapping[str, Payment], provider: str) -> Intent:
    """The first payment of the order that has not failed, begun or not."""
    for payment_id, state in attempts.items():
        if state.status != "failed":
            return Intent(
                payment_id=payment_id,
                order_id=terms.order_id,
                member_id=terms.member_id,
                provider=provider,
                amount=terms.charged,
            )
    raise WrongState("too many payments of this order have failed; place another", order_id=terms.order_id)


def check_given_up(holder: Order, attempts: Mapping[str, Payment]) -> None:
    """Raise `AlreadyBought` where the order that holds a purchase is paid, `BeingBought` where it may still be."""
    ids = {"order_id": holder.terms.order_id} if holder.terms else {}
    if holder.status == "paid":
        raise AlreadyBought(ALREADY_BOUGHT, field="order_id", **ids)
    if any(state.status == "initiated" for state in attempts.values()):
        raise BeingBought(BEING_BOUGHT, field="order_id", **ids)
