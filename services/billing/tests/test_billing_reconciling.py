"""The reconciler: open payments are asked after within bounds, and one payment's trouble keeps none waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from billing.application.ports import OpenPayment, ProviderUnavailable, Report
from billing.application.reconciling import MAX_PAYMENTS_A_PASS, Pace, Reconciler
from billing.domain.money import Money
from billing.domain.payment import AmountMismatch, Intent, Payment, merchant_number_of, payment_id_of
from eventfold.decider import Context

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PACE = Pace(timedelta(seconds=30), timedelta(hours=2))
ID = payment_id_of("o1", 1)
INTENT = Intent(ID, "o1", "m1", "simulator", Money(900, "CNY"))
OPEN = OpenPayment(ID, "simulator", merchant_number_of(ID), NOW - timedelta(seconds=60), 0)
PAID = Report(OPEN.merchant_number, "paid", INTENT.amount, "ref", "")


@dataclass
class FakeProvider:
    """Answers as told, and notes what it was asked."""

    answer: Report | Exception | None
    asked: list[str] = field(default_factory=list)

    async def query(self, merchant_number: str) -> Report | None:
        return self._answer("query")

    async def close(self, merchant_number: str) -> Report | None:
        return self._answer("close")

    async def create(self, intent: Intent, merchant_number: str) -> str:
        self.asked.append(f"create {merchant_number}")
        return ""

    def _answer(self, name: str) -> Report | None:
        self.asked.append(name)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class FakePaying:
    """Notes what is recorded."""

    provider_: FakeProvider
    state: Payment = field(default_factory=lambda: Payment(INTENT, "initiated"))
    recorded: list[Any] = field(default_factory=list)
    refusal: Exception | None = None

    def provider(self, name: str) -> FakeProvider:
        return self.provider_

    async def payment(self, payment_id: str) -> Payment:
        return self.state

    async def settle(self, provider: str, report: Report, context: Context) -> None:
        if self.refusal:
            raise self.refusal
        self.recorded.append((report.status, context.actor))

    async def fail(self, intent: Intent, reason: str, context: Context) -> None:
        self.recorded.append(reason)


@dataclass
class FakeBook:
    """Holds open payments and the pauses set for them."""

    payments: list[OpenPayment]
    pauses: list[timedelta] = field(default_factory=list)

    async def due(self, now: datetime, initiated_before: datetime, limit: int) -> Sequence[OpenPayment]:
        return [one for one in self.payments if one.initiated_at <= initiated_before][:limit]

    async def looked_at(self, payment: OpenPayment, next_at: datetime) -> None:
        self.pauses.append(next_at - NOW)


async def passed(paying: FakePaying, *payments: OpenPayment) -> FakeBook:
    book = FakeBook(list(payments))
    await Reconciler(paying, book, PACE).run_pass(NOW)  # type: ignore[arg-type]
    return book


async def test_a_lost_callback_heals() -> None:
    paying = FakePaying(FakeProvider(PAID))
    book = await passed(paying, OPEN)
    assert paying.recorded == [("paid", "billing-reconciler")] and book.pauses == [timedelta(seconds=30)]


async def test_a_payment_that_has_just_begun_is_left_alone() -> None:
    paying = FakePaying(FakeProvider(PAID))
    await passed(paying, replace(OPEN, initiated_at=NOW - timedelta(seconds=29)))
    assert paying.provider_.asked == []


async def test_a_lost_call_is_made_again_under_the_same_number() -> None:
    paying = FakePaying(FakeProvider(None))
    await passed(paying, OPEN)
    assert paying.provider_.asked == ["query", f"create {OPEN.merchant_number}"] and paying.recorded == []


async def test_what_the_book_has_not_heard_of_yet_is_not_called_again() -> None:
    paying = FakePaying(FakeProvider(None), Payment(INTENT, "captured", "ref"))
    await passed(paying, OPEN)
    assert paying.provider_.asked == ["query"] and paying.recorded == []


async def test_an_old_payment_is_closed_and_what_it_then_is_counts() -> None:
    old = replace(OPEN, initiated_at=NOW - timedelta(hours=2))
    paying = FakePaying(FakeProvider(PAID))
    await passed(paying, old)
    assert paying.provider_.asked == ["close"] and paying.recorded[0][0] == "paid"
    unknown = FakePaying(FakeProvider(None))
    await passed(unknown, old)
    assert unknown.recorded == ["expired"]


async def test_pauses_double_up_to_an_hour() -> None:
    book = await passed(FakePaying(FakeProvider(PAID)), *[replace(OPEN, checks=checks) for checks in (0, 1, 3, 99)])
    assert book.pauses == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=240), timedelta(hours=1)]


async def test_trouble_with_one_payment_keeps_no_other_waiting() -> None:
    away = FakePaying(FakeProvider(ProviderUnavailable("simulator", "away")))
    assert len((await passed(away, OPEN, OPEN)).pauses) == 2
    contradicted = FakePaying(FakeProvider(PAID), refusal=AmountMismatch("other amount"))
    assert len((await passed(contradicted, OPEN, OPEN)).pauses) == 2


async def test_a_pass_is_bounded() -> None:
    book = await passed(FakePaying(FakeProvider(PAID)), *[OPEN] * (MAX_PAYMENTS_A_PASS + 1))
    assert len(book.pauses) == MAX_PAYMENTS_A_PASS
