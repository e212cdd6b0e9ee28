"""How far an inbox is read, what stands in it, and what is told of it live."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.events import billing, identity
from contracts.events import notifications as own
from eventfold import Recorded
from eventfold.testing import Story, folded, record
from notifications.inbox.domain import INBOX, InboxRead, MarkRead
from notifications.inbox.projections import INBOX_FOLD, NOTIFICATIONS, READ, NotificationRow, ReadRow
from notifications.inbox.publication import to_public
from notifications.inbox.watching import Watching

AT = datetime(2026, 3, 1, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
FAST_S, WAIT_S = 0.02, 10.0
story = Story(INBOX.decider)
PAID: billing.OrderPaid = {
    "order_id": "o1",
    "member_id": "m1",
    "creator_id": "c1",
    "product_id": "p1",
    "list": {"amount_minor": 9900, "currency": "CNY"},
    "discount": {"amount_minor": 900, "currency": "CNY"},
    "charged": {"amount_minor": 9000, "currency": "CNY"},
    "promotion_id": None,
    "platform_fee_bps": 1000,
    "provider": "simulator",
    "payment_id": "y1",
    "paid_at": AT,
}
GRANTED: billing.EntitlementGranted = {
    "entitlement_id": "e1",
    "member_id": "m1",
    "product_id": "p1",
    "source": "purchase",
    "order_id": "o1",
    "granted_at": AT,
    "expires_at": None,
}
FAILED: billing.PaymentFailed = {
    "payment_id": "y2",
    "order_id": "o2",
    "member_id": "m1",
    "provider": "simulator",
    "merchant_number": "n",
    "reason": "closed",
    "failed_at": AT,
}
ROLE: identity.MemberRoleGranted = {"member_id": "m1", "role": "auditor", "previous": "consumer", "granted_at": AT}


def test_what_is_read_stays_read() -> None:
    story.when(MarkRead(AT)).then(InboxRead(AT, None))
    story.given(InboxRead(AT, None)).when(MarkRead(LATER)).then(InboxRead(LATER, AT))
    story.given(InboxRead(LATER, None)).when(MarkRead(AT)).then()
    story.given(InboxRead(AT, None)).when(MarkRead(AT)).then()


def test_reading_is_public() -> None:
    told = to_public(Recorded(INBOX.stream("m1"), 1, InboxRead(LATER, AT), "", "m1", LATER, LATER))
    assert told == own.INBOX_READ({"member_id": "m1", "read_up_to_at": LATER, "previous_read_up_to_at": AT})


def ids(*records: Any) -> set[tuple[str, str]]:
    """Whose notifications of what there are after these records."""
    rows: Iterable[NotificationRow] = folded(INBOX_FOLD, list(records))[NOTIFICATIONS.name].values()
    return {(row.member_id, row.notification_id) for row in rows}


def test_a_sale_is_told_to_both_sides_and_says_what_was_charged() -> None:
    rows = folded(INBOX_FOLD, [record(billing.ORDER_PAID, PAID)])[NOTIFICATIONS.name]
    for member_id, kind in (("m1", "order_paid"), ("c1", "order_received")):
        row = NotificationRow(member_id, f"{kind}.o1", kind, AT, "p1", "o1", 9000, "CNY", None)
        assert rows[(member_id, f"{kind}.o1")] == row


def test_access_a_failed_payment_and_a_role_are_told_to_their_member() -> None:
    told = ids(
        record(billing.ENTITLEMENT_GRANTED, GRANTED),
        record(billing.PAYMENT_FAILED, FAILED),
        record(identity.MEMBER_ROLE_GRANTED, ROLE),
    )
    assert {kind.partition(".")[0] for _, kind in told} == {"access_granted", "payment_failed", "role_granted"}
    assert {member_id for member_id, _ in told} == {"m1"}


def test_an_endpoint_that_the_sender_disabled_is_told_to_its_owner() -> None:
    gone: own.EndpointDisabled = {"endpoint_id": "e1", "member_id": "c1", "reason": "gone", "disabled_at": AT}
    asked: own.EndpointDisabled = {**gone, "endpoint_id": "e2", "reason": "asked"}
    told = ids(record(own.ENDPOINT_DISABLED, gone, 1), record(own.ENDPOINT_DISABLED, asked, 2))
    assert told == {("c1", f"webhook_disabled.e1.{AT.isoformat()}")}


def test_what_is_told_twice_is_one() -> None:
    assert len(ids(*[record(billing.ORDER_PAID, PAID)] * 2)) == 2


def test_nobody_is_told_of_what_was_imported() -> None:
    paid: billing.OrderPaid = {**PAID, "provider": "imported"}
    granted: billing.EntitlementGranted = {**GRANTED, "source": "import"}
    assert not ids(record(billing.ORDER_PAID, paid), record(billing.ENTITLEMENT_GRANTED, granted))


def test_the_latest_moment_counts_in_any_order() -> None:
    reads: list[own.InboxRead] = [
        {"member_id": "m1", "read_up_to_at": at, "previous_read_up_to_at": None} for at in (LATER, AT)
    ]
    rows = folded(INBOX_FOLD, [record(own.INBOX_READ, one) for one in reads])[READ.name]
    assert rows[("m1",)] == ReadRow("m1", LATER)


def row(number: int, member_id: str = "m1") -> NotificationRow:
    """A notification of a minute."""
    at = AT + timedelta(minutes=number)
    return NotificationRow(member_id, f"n{number}", "order_paid", at, "p", "o", 1, "CNY", None)


class Table:
    """What there is of each member, the newest first, and how often it was looked at."""

    def __init__(self, **rows: Sequence[NotificationRow]) -> None:
        self.rows: dict[str, tuple[NotificationRow, ...]] = {name: tuple(own) for name, own in rows.items()}
        self.looks: list[Sequence[str]] = []
        self.failure: Exception | None = None

    async def newest(self, member_ids: Sequence[str]) -> Mapping[str, tuple[NotificationRow, ...]]:
        self.looks.append(member_ids)
        if self.failure:
            raise self.failure
        return {one: self.rows[one] for one in member_ids if one in self.rows}


def watching(table: Table, beat_s: float = WAIT_S) -> Watching:
    return Watching(table.newest, FAST_S, beat_s)


async def following(news: Any) -> NotificationRow | None:
    """The next of what is told."""
    async with asyncio.timeout(WAIT_S):
        told: NotificationRow | None = await anext(news)
        return told


async def test_what_is_not_known_comes_first_the_oldest_before_the_others() -> None:
    table = Table(m1=[row(3), row(2), row(1)])
    news = watching(table).news("m1", {"n1"})
    assert [await following(news), await following(news)] == [row(2), row(3)]
    await news.aclose()


async def test_what_happens_is_told_once_to_each_who_watches_and_to_nobody_else() -> None:
    table = Table(m1=[row(1)])
    one = watching(table)
    first, second, other = one.news("m1", {"n1"}), one.news("m1", {"n1"}), one.news("m2")
    told = [asyncio.create_task(following(news)) for news in (first, second, other)]
    table.rows["m1"] = (row(2), row(1))
    assert [await told[0], await told[1]] == [row(2), row(2)]
    assert not told[2].done()
    table.rows["m2"] = (row(9, "m2"),)
    assert await told[2] == row(9, "m2")
    again = asyncio.create_task(following(first))
    table.rows["m1"] = (row(3), row(2), row(1))
    assert await again == row(3)
    for news in (first, second, other):
        await news.aclose()


async def test_without_news_it_says_that_it_is_alive() -> None:
    news = watching(Table(), beat_s=FAST_S).news("m1")
    assert await following(news) is None
    assert await following(news) is None
    await news.aclose()


async def test_a_look_that_fails_ends_what_is_watched_and_the_next_begins_anew() -> None:
    table = Table()
    table.failure = ConnectionError("gone")
    one = watching(table)
    with pytest.raises(ConnectionError):
        await following(one.news("m1"))
    table.failure, table.rows["m1"] = None, (row(1),)
    assert await following(one.news("m1")) == row(1)
    await one.aclose()


async def test_a_look_is_nobodys_call_and_counts_for_no_callers_share() -> None:
    """The first who watches began it; their call may be over long before it ends."""
    known = ContextVar("call", default="nobody's")
    seen: list[str] = []

    async def newest(member_ids: Sequence[str]) -> Mapping[str, tuple[NotificationRow, ...]]:
        seen.append(known.get())
        return {"m1": (row(1),)}

    known.set("m1's")
    news = Watching(newest, FAST_S, WAIT_S).news("m1")
    assert await following(news) == row(1)
    assert seen == ["nobody's"]
    await news.aclose()


async def test_one_look_serves_all_and_none_is_made_for_nobody() -> None:
    table = Table(m1=[row(1)], m2=[row(2, "m2")])
    one = watching(table)
    both = [one.news("m1"), one.news("m2")]
    await asyncio.gather(*map(following, both))
    assert sorted(table.looks[-1]) == ["m1", "m2"]
    for news in both:
        await news.aclose()
    looks = len(table.looks)
    await asyncio.sleep(5 * FAST_S)
    assert len(table.looks) <= looks + 1, "one may have begun"
