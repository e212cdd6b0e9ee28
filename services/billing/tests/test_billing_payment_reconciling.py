"""The reconciler: what it asks a provider about an open payment that is due, and what it then has recorded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from billing.money import Money
from billing.order.domain.order import ORDER, MarkPaid
from billing.payment.domain import (
    PAYMENT,
    Capture,
    Fail,
    Intent,
    Payment,
    PaymentCaptured,
    PaymentFailed,
    PaymentInitiated,
    due,
    merchant_number_of,
    payment_id_of,
)
from billing.payment.provider import Provider, ProviderUnavailable, Report
from billing.payment.reconciling import Reconciler
from eventfold import NOTHING_DUE, Ask, Due, DueDate, Item, Recorded

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EXPIRES_AFTER = timedelta(hours=2)
ID = payment_id_of("o1", 1)
NUMBER = merchant_number_of(ID)
INTENT = Intent(ID, "o1", "m1", "simulator", Money(900, "CNY"))
OPEN = Due(ID, Payment(INTENT, "initiated"), NOW - timedelta(seconds=30), 1, NOW)
PAID = Report(NUMBER, "paid", INTENT.amount, "ref", "")
CAPTURED = Item(
    (
        Ask(PAYMENT, ID, Capture(ID, "simulator", "ref", INTENT.amount)),
        Ask(ORDER, "o1", MarkPaid("o1", ID, "simulator")),
    )
)


@dataclass
class FakeProvider:
    """Answers as told, and notes what it was asked."""

    answer: Report | Exception | None
    asked: list[str] = field(default_factory=list)
    name: str = "simulator"

    async def query(self, number: str) -> Report | None:
        return self._answer("query")

    async def close(self, merchant_number: str) -> Report | None:
        return self._answer("close")

    async def execute(self, number: str, request: Intent) -> Report:
        self.asked.append(f"create {number}")
        return Report(number, "pending", request.amount, "", "")

    def _answer(self, name: str) -> Report | None:
        self.asked.append(name)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def looked(provider: FakeProvider, due: Due = OPEN) -> Item | None:
    return await Reconciler(lambda _: cast(Provider, provider), EXPIRES_AFTER).look(due)


def failed(reason: str) -> Item:
    return Item((Ask(PAYMENT, ID, Fail(ID, "simulator", reason)),))


async def test_a_lost_callback_heals() -> None:
    provider = FakeProvider(PAID)
    assert await looked(provider) == CAPTURED and provider.asked == ["query"]
    assert await looked(FakeProvider(replace(PAID, status="failed", reason="refused"))) == failed("refused")


async def test_a_payment_that_still_waits_is_looked_at_again() -> None:
    assert await looked(FakeProvider(replace(PAID, status="pending"))) is None


async def test_a_lost_call_is_made_again_under_the_same_number() -> None:
    provider = FakeProvider(None)
    assert await looked(provider) is None
    assert provider.asked == ["query", f"create {NUMBER}"]


@pytest.mark.parametrize("state", [Payment(INTENT, "captured", "ref"), Payment(INTENT, "failed"), Payment()])
async def test_what_is_settled_meanwhile_is_not_asked_after(state: Payment) -> None:
    provider = FakeProvider(None)
    assert await looked(provider, replace(OPEN, state=state)) is None and provider.asked == []


async def test_an_old_payment_is_closed_and_what_it_then_is_counts() -> None:
    old = replace(OPEN, since=NOW - EXPIRES_AFTER)
    provider = FakeProvider(PAID)
    assert await looked(provider, old) == CAPTURED and provider.asked == ["close"]
    unknown = FakeProvider(None)
    assert await looked(unknown, old) == failed("expired") and unknown.asked == ["close"]


@pytest.mark.parametrize(
    "answer", [ProviderUnavailable("simulator", "away"), replace(PAID, merchant_number="0" * 32)], ids=["away", "other"]
)
async def test_an_answer_of_no_use_records_nothing(answer: Any) -> None:
    with pytest.raises(ProviderUnavailable):
        await looked(FakeProvider(answer))


def test_pauses_begin_with_30_s_and_end_with_an_hour() -> None:
    pace = Reconciler(lambda _: cast(Provider, None), EXPIRES_AFTER).handler.pace
    assert (pace.first, pace.longest) == (timedelta(seconds=30), timedelta(hours=1))


def test_a_payment_is_due_while_it_is_open() -> None:
    def of(event: Any) -> DueDate:
        return due(Recorded("payment-x", 1, event, "t", "x", NOW - timedelta(days=1), NOW))

    assert of(PaymentInitiated(INTENT, NUMBER)) == DueDate(NOW + timedelta(seconds=30))
    assert of(PaymentCaptured(INTENT, NUMBER, "ref")) == of(PaymentFailed(INTENT, NUMBER, "no")) == NOTHING_DUE
