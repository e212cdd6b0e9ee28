"""The factors' fold: what each public fact makes of the rows, however it is delivered."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eventfold import PublicRecord
from eventfold.testing import Tables, record
from eventfold.testing import folded as folded_by
from reco.recommendation.projections import FACTORS, PairRow

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ("viewed", "liked", "unliked", "commented", "shared", "rated")


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def public(type_name: str, seq: int, partition: int, data: dict[str, Any]) -> PublicRecord:
    return record(type_name, data, seq, partition=partition, key=data.get("member_id", "c"))


def interaction(kind: str, seq: int, member: str, content: str, minute: int, **more: Any) -> PublicRecord:
    data = {"member_id": member, "content_id": content, "occurred_at": at(minute), **more}
    return public(f"lyceum.catalog.interaction.{kind}.v1", seq, int(member[1:]) % 4, data)


def paid(seq: int, member: str, product: str, minute: int) -> PublicRecord:
    data = {"member_id": member, "product_id": product, "paid_at": at(minute)}
    return public("lyceum.billing.order.paid.v1", seq, seq % 4, data)


def published(seq: int, content: str, title: str = "A title") -> PublicRecord:
    data = {
        "content_id": content,
        "creator_id": "m9",
        "kind": "text",
        "title": title,
        "tags": ["a"],
        "category": None,
        "published_at": START,
        "access": "free",
        "duration_ms": None,
    }
    return public("lyceum.catalog.content.published.v1", seq, 0, data)


def folded(*batches: Sequence[PublicRecord]) -> Tables:
    return folded_by(FACTORS, *batches)


def test_a_pair_keeps_first_and_last_time_and_its_strongest_signal() -> None:
    rows = folded([interaction("shared", 5, "m1", "a", 10), interaction("viewed", 6, "m1", "a", 3, watched_ms=7)])[
        "interaction"
    ]
    assert rows == {("m1", "a"): PairRow("m1", "a", 32, None, None, at(3), at(10), watched_ms=7)}


def test_a_rating_is_the_newest_by_business_time_even_when_an_import_brings_an_older_one_later() -> None:
    rows = folded(
        [interaction("rated", 1, "m1", "a", 10, rating=5, previous=None)],
        [interaction("rated", 2, "m1", "a", 2, rating=1, previous=None)],
    )["interaction"]
    assert rows[("m1", "a")].rating == 5 and rows[("m1", "a")].first_at == at(2)


def test_a_purchase_makes_a_pair_of_member_and_product() -> None:
    rows = folded([paid(1, "m1", "a", 4)])["interaction"]
    assert rows[("m1", "a")].first_at == at(4)


def test_taking_a_like_back_neither_makes_nor_removes_a_pair() -> None:
    assert folded([interaction("unliked", 1, "m1", "a", 1)])["interaction"] == {}
    assert ("m1", "a") in folded([interaction("liked", 1, "m1", "a", 1), interaction("unliked", 2, "m1", "a", 2)])[
        "interaction"
    ]


def test_facts_that_say_nothing_about_factors_change_nothing() -> None:
    placed = public("lyceum.billing.order.placed.v1", 1, 0, {"member_id": "m1", "product_id": "a"})
    assert folded([placed]) == {"interaction": {}, "content_item": {}}


def test_content_is_as_its_newest_publication_says() -> None:
    rows = folded([published(1, "a", "Old"), published(2, "a", "New")])["content_item"]
    assert rows[("a",)].title == "New" and rows[("a",)].tags == ["a"]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(("paid", "completed", *KINDS)), st.integers(1, 3), st.sampled_from("abc"), st.integers(0, 9)
    ),
    max_size=25,
)


@given(drawn=EVENTS, cuts=st.lists(st.integers(1, 6), max_size=10), seed=st.integers(0, 99))
def test_rows_do_not_depend_on_interleaving_or_on_how_batches_are_cut(
    drawn: list[tuple[str, int, str, int]], cuts: list[int], seed: int
) -> None:
    events = [_drawn(number + 1, *one) for number, one in enumerate(drawn)]
    queues: dict[tuple[str, int], list[PublicRecord]] = {}
    for event in events:
        queues.setdefault((event.topic, event.partition), []).append(event)
    order = [(event.topic, event.partition) for event in events]
    random.Random(seed).shuffle(order)
    shuffled = [queues[partition].pop(0) for partition in order]
    assert folded(events) == folded(*_cut(shuffled, cuts))


def _drawn(seq: int, kind: str, member: int, content: str, minute: int) -> PublicRecord:
    if kind == "paid":
        return paid(seq, f"m{member}", content, minute)
    if kind == "completed":
        data = {"member_id": f"m{member}", "content_id": content, "occurred_at": at(minute)}
        return public("lyceum.catalog.learning.completed.v1", seq, member, data)
    more: dict[str, Any] = {"rating": 1 + minute % 5, "previous": None} if kind == "rated" else {}
    more |= {"watched_ms": minute} if kind == "viewed" else {}
    return interaction(kind, seq, f"m{member}", content, minute, **more)


def _cut(events: list[PublicRecord], sizes: list[int]) -> list[list[PublicRecord]]:
    batches = []
    for size in sizes:
        batches.append(events[:size])
        events = events[size:]
    return [batch for batch in (*batches, events) if batch]
