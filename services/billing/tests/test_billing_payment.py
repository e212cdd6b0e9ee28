"""Payments: the intent first, then what the provider says; duplicates change nothing, contradictions are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from billing.money import Money
from billing.payment import domain as payment
from billing.payment.domain import (
    PAYMENT,
    AmountMismatch,
    Capture,
    Fail,
    Initiate,
    Intent,
    Payment,
    PaymentCaptured,
    PaymentCommand,
    PaymentEvent,
    PaymentFailed,
    PaymentInitiated,
    ReferenceMismatch,
)
from eventfold.errors import NotFound, WrongState

ID = payment.payment_id_of("o1", 1)
NUMBER = payment.merchant_number_of(ID)
INTENT = Intent(ID, "o1", "m1", "simulator", Money(900, "CNY"))
CAPTURE = Capture(ID, "simulator", "ref", Money(900, "CNY"))
FAIL = Fail(ID, "simulator", "refused")
INITIATED = PaymentInitiated(INTENT, NUMBER)
CAPTURED = PaymentCaptured(INTENT, NUMBER, "ref")
FAILED = PaymentFailed(INTENT, NUMBER, "refused")


def when(command: PaymentCommand, *given: PaymentEvent) -> Sequence[PaymentEvent]:
    return PAYMENT.decider.decide(command, PAYMENT.decider.fold(given, Payment()))


def test_the_merchant_number_is_fixed_with_the_intent() -> None:
    assert when(Initiate(INTENT)) == [INITIATED]
    assert payment.payment_id_from(NUMBER) == ID
    assert len(NUMBER) == 32 and NUMBER.isalnum()


@pytest.mark.parametrize("number", ["", "x" * 32, NUMBER.upper(), NUMBER + "0", "０" * 32])
def test_a_number_that_was_never_ours_is_not_found(number: str) -> None:
    with pytest.raises(NotFound):
        payment.payment_id_from(number)


def test_an_intent_repeated_records_nothing() -> None:
    assert when(Initiate(INTENT), INITIATED) == []


def test_an_order_is_not_paid_through_two_providers_at_once() -> None:
    with pytest.raises(WrongState):
        when(Initiate(replace(INTENT, provider="other")), INITIATED)


def test_money_is_captured_once() -> None:
    assert when(CAPTURE, INITIATED) == [CAPTURED]
    assert when(CAPTURE, INITIATED, CAPTURED) == []


def test_a_second_reference_for_the_same_payment_is_refused() -> None:
    with pytest.raises(ReferenceMismatch):
        when(replace(CAPTURE, provider_reference="other"), INITIATED, CAPTURED)


@pytest.mark.parametrize("amount", [Money(901, "CNY"), Money(899, "CNY"), Money(900, "USD")])
@pytest.mark.parametrize("given", [(INITIATED,), (INITIATED, CAPTURED)])
def test_another_amount_is_refused(amount: Money, given: tuple[PaymentEvent, ...]) -> None:
    with pytest.raises(AmountMismatch) as refused:
        when(replace(CAPTURE, amount=amount), *given)
    assert refused.value.field == "amount_minor"


@pytest.mark.parametrize("command", [CAPTURE, FAIL])
def test_what_was_never_initiated_is_not_found(command: Capture | Fail) -> None:
    with pytest.raises(NotFound):
        when(command)
    with pytest.raises(NotFound):
        when(replace(command, provider="other"), INITIATED)


def test_a_failure_is_recorded_once() -> None:
    assert when(FAIL, INITIATED) == [FAILED]
    assert when(FAIL, INITIATED, FAILED) == []


def test_a_failure_after_the_money_has_come_is_refused() -> None:
    with pytest.raises(WrongState):
        when(FAIL, INITIATED, CAPTURED)


def test_money_that_comes_after_a_failure_has_come_all_the_same() -> None:
    assert when(CAPTURE, INITIATED, FAILED) == [CAPTURED]
