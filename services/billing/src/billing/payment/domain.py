"""Payments: an intent under a merchant number fixed first, then what the provider reports of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, assert_never

from billing.money import Money
from eventfold import NOTHING_DUE, Decider, DueDate, Recorded, Stored, StreamType
from eventfold.errors import InvalidInput, NotFound, WrongState

_NAMESPACE = uuid.UUID("b7a4a5d2-0c58-5d5f-8f5b-1f0d0c6c9e21")

MAX_ATTEMPTS = 5
"""Payments that an order may fail before a new order is needed."""


ASK_AFTER = timedelta(seconds=30)
"""How long after its start a payment is first asked after: most are paid or refused by then."""


def payment_id_of(order_id: str, attempt: int) -> str:
    """The id of an order's `attempt`-th payment, from 1."""
    return str(uuid.uuid5(_NAMESPACE, f"{order_id}/{attempt}"))


def merchant_number_of(payment_id: str) -> str:
    """The number under which a provider knows the payment: 32 letters and digits, as all of them accept."""
    return uuid.UUID(payment_id).hex


def payment_id_from(merchant_number: str) -> str:
    """Inverse of `merchant_number_of`. Raises `NotFound` for a number that was never ours."""
    if len(merchant_number) == 32 and not set(merchant_number) - set("0123456789abcdef"):
        return str(uuid.UUID(merchant_number))
    raise NotFound("there is no payment of this merchant number", field="merchant_number")


class AmountMismatch(InvalidInput):
    """The provider reports another amount than was asked for: nothing is recorded, somebody must look."""

    code = "AMOUNT_MISMATCH"


class ReferenceMismatch(WrongState):
    """The payment was captured under another reference of the provider: somebody must look."""

    code = "REFERENCE_MISMATCH"


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to be paid, by whom and through whom; never changes."""

    payment_id: str
    order_id: str
    member_id: str
    provider: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Initiate:
    """Record the intent; the provider is asked after the commit."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class Capture:
    """The provider says that the money has come."""

    payment_id: str
    provider: str
    provider_reference: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Fail:
    """The provider says that the money will not come."""

    payment_id: str
    provider: str
    reason: str


@dataclass(frozen=True, slots=True)
class PaymentInitiated:
    """A payment was begun under a fixed merchant number."""

    intent: Intent
    merchant_number: str


@dataclass(frozen=True, slots=True)
class PaymentCaptured:
    """The money has come."""

    intent: Intent
    merchant_number: str
    provider_reference: str


@dataclass(frozen=True, slots=True)
class PaymentFailed:
    """The money will not come."""

    intent: Intent
    merchant_number: str
    reason: str


PaymentCommand = Initiate | Capture | Fail
PaymentEvent = PaymentInitiated | PaymentCaptured | PaymentFailed


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as it stands."""

    intent: Intent | None = None
    status: Literal["absent", "initiated", "captured", "failed"] = "absent"
    provider_reference: str | None = None


def decide(command: PaymentCommand, state: Payment) -> Sequence[PaymentEvent]:
    """Raises `NotFound`, `AmountMismatch`, `ReferenceMismatch` or `WrongState`; repetition records nothing."""
    if isinstance(command, Initiate):
        return _initiate(command, state)
    if state.intent is None or state.intent.provider != command.provider:
        raise NotFound("there is no payment of this merchant number", field="merchant_number")
    match command:
        case Capture():
            return _capture(command, state, state.intent)
        case Fail():
            return _fail(command, state, state.intent)
        case _:
            assert_never(command)


def _initiate(command: Initiate, state: Payment) -> Sequence[PaymentEvent]:
    intent = command.intent
    if state.intent is None:
        return [PaymentInitiated(intent, merchant_number_of(intent.payment_id))]
    if state.intent != intent:
        raise WrongState("the order is being paid through another provider", payment_id=intent.payment_id)
    return []


def _capture(command: Capture, state: Payment, intent: Intent) -> Sequence[PaymentEvent]:
    """Money that comes after a failure has come all the same."""
    if command.amount != intent.amount:
        raise AmountMismatch("not the amount that was asked for", field="amount_minor", payment_id=intent.payment_id)
    if state.status == "captured":
        if state.provider_reference != command.provider_reference:
            raise ReferenceMismatch("captured under another reference", payment_id=intent.payment_id)
        return []
    return [PaymentCaptured(intent, merchant_number_of(intent.payment_id), command.provider_reference)]


def _fail(command: Fail, state: Payment, intent: Intent) -> Sequence[PaymentEvent]:
    if state.status == "captured":
        raise WrongState("the payment has been captured", payment_id=intent.payment_id)
    if state.status == "failed":
        return []
    return [PaymentFailed(intent, merchant_number_of(intent.payment_id), command.reason)]


def evolve(_: Payment, event: PaymentEvent) -> Payment:
    """Initiated, then captured or failed; captured is the end."""
    match event:
        case PaymentInitiated(intent=intent):
            return Payment(intent, "initiated")
        case PaymentCaptured(intent=intent, provider_reference=reference):
            return Payment(intent, "captured", reference)
        case PaymentFailed(intent=intent):
            return Payment(intent, "failed")
        case _:
            assert_never(event)


def due(recorded: Recorded) -> DueDate:
    """A payment that stays initiated is asked after; one that is captured or has failed is not any more."""
    is_open = isinstance(recorded.event, PaymentInitiated)
    return DueDate(recorded.recorded_at + ASK_AFTER) if is_open else NOTHING_DUE


PAYMENT = StreamType("payment", Decider(Payment(), decide, evolve), due=due)

EVENTS: Final[Stored] = {
    PaymentInitiated: ("payment.initiated", 1),
    PaymentCaptured: ("payment.captured", 1),
    PaymentFailed: ("payment.failed", 1),
}
