"""The folds: sums and rows that do not depend on how partitions interleave or where batches are cut."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from catalog.projections.access_mirror import ENTITLEMENT_TOPIC, MIRROR, AccessRow
from catalog.projections.contents import (
    COMMENTING,
    CONTENT_TOPIC,
    COUNTING,
    INDEX,
    INTERACTION_TOPIC,
    LEARNING_TOPIC,
    CommentRow,
    ContentRow,
    CounterRow,
)
from eventfold.publish import rfc3339
from eventfold.readmodel import KeptRecord, Projection, PublicRecord

AT = datetime(2026, 3, 1, tzinfo=UTC)
Tables = dict[str, dict[Any, Any]]


def record(seq: int, topic: str, action: str, partition: int = 0, **data: Any) -> PublicRecord:
    headers = {"ce_id": f"e{seq}", "ce_type": f"{topic}.{action}.v1", "ce_sequence": str(seq), "ce_time": rfc3339(AT)}
    kept = KeptRecord(seq, b"key", b"", [(name, value.encode()) for name, value in headers.items()])
    return PublicRecord(topic, partition, kept, data)


def folded(projection: Projection, batches: Sequence[Sequence[PublicRecord]]) -> Tables:
    """What the runtime does: load the named rows, fold, write what changed."""
    tables: Tables = {table.name: {} for table in projection.tables}
    for batch in batches:
        wanted = projection.keys(batch)
        rows = {
            name: {key: table[key] for key in wanted.get(name, ()) if key in table} for name, table in tables.items()
        }
        for name, changed in projection.fold(rows, batch).items():
            tables[name].update(changed)
    return tables


def act(seq: int, member: str, content: str, action: str, **data: Any) -> PublicRecord:
    topic = LEARNING_TOPIC if action == "completed" else INTERACTION_TOPIC
    return record(seq, topic, action, 0, member_id=member, content_id=content, occurred_at=AT, **data)


def history(member: str, first: int) -> list[PublicRecord]:
    """One member: looks, likes twice over, rates 2 then 5, comments, shares, completes."""
    steps: list[tuple[str, dict[str, Any]]] = [
        ("viewed", {"watched_ms": 5}), ("liked", {}), ("rated", {"rating": 2, "previous": None}), ("unliked", {}),
        ("liked", {}), ("rated", {"rating": 5, "previous": 2}), ("shared", {"channel": "mail"}), ("completed", {}),
        ("commented", {"comment_id": f"c-{member}", "length_chars": 3}),
    ]  # fmt: skip
    return [act(first + n, member, "x", action, **data) for n, (action, data) in enumerate(steps)]


def interleaved(draw: st.DrawFn, members: int) -> list[list[PublicRecord]]:
    waiting = [history(f"m{n}", 100 * n) for n in range(members)]
    events = []
    while any(waiting):
        n = draw(st.sampled_from([n for n, rest in enumerate(waiting) if rest]))
        events.append(waiting[n].pop(0))
    size = draw(st.integers(1, len(events)))
    return [events[at : at + size] for at in range(0, len(events), size)]


@st.composite
def batches(draw: st.DrawFn) -> list[list[PublicRecord]]:
    return interleaved(draw, 3)


@given(batches())
def test_counters_are_the_same_however_members_interleave(cut: list[list[PublicRecord]]) -> None:
    assert folded(COUNTING, cut)["content_counter"] == {("x",): CounterRow("x", 3, 3, 3, 3, 3, 15, 3)}


@given(batches())
def test_every_comment_has_its_row_however_members_interleave(cut: list[list[PublicRecord]]) -> None:
    only = [[event for event in batch if event.topic == INTERACTION_TOPIC] for batch in cut]
    rows = folded(COMMENTING, only)["content_comment"]
    assert rows == {("x", f"c-m{n}"): CommentRow("x", f"c-m{n}", f"m{n}", AT) for n in range(3)}


def test_counters_do_not_wait_for_the_content() -> None:
    assert folded(COUNTING, [[act(1, "m", "not-there-yet", "liked")]])["content_counter"] == {
        ("not-there-yet",): CounterRow("not-there-yet", 0, 1, 0, 0, 0, 0, 0)
    }


def test_published_content_is_in_the_feed_once() -> None:
    data: dict[str, Any] = {
        "content_id": "c", "creator_id": "m", "kind": "text", "title": "T", "excerpt": "e", "tags": ["a"],
        "category": None, "access": "paid", "body_sha256": None, "media_uri": None, "duration_ms": None,
        "lesson_count": 0, "published_at": AT,
    }  # fmt: skip
    event = record(1, CONTENT_TOPIC, "published", **data)
    assert folded(INDEX, [[event, event], [event]])["content_index"] == {
        ("c",): ContentRow("c", "m", "text", "T", "e", ["a"], "paid", AT)
    }


def grant(seq: int, entitlement: str, expires_at: datetime | None) -> PublicRecord:
    return record(
        seq, ENTITLEMENT_TOPIC, "granted", entitlement_id=entitlement, member_id="m", product_id="c",
        source="purchase", order_id="o", granted_at=AT, expires_at=expires_at,
    )  # fmt: skip


@given(st.permutations(range(4)))
def test_each_entitlement_stands_alone_in_any_order(order: list[int]) -> None:
    ends = [None, AT, AT + timedelta(days=1), None]
    rows = folded(MIRROR, [[grant(n, f"e{n}", ends[n])] for n in order])["access_mirror"]
    assert rows == {(f"e{n}",): AccessRow(f"e{n}", "m", "c", ends[n]) for n in range(4)}


def test_entitlements_halt_rather_than_lose_one() -> None:
    assert MIRROR.halts


def test_types_that_a_fold_does_not_know_change_nothing() -> None:
    assert folded(INDEX, [[record(1, CONTENT_TOPIC, "archived", content_id="c")]])["content_index"] == {}
    assert folded(MIRROR, [[record(1, ENTITLEMENT_TOPIC, "renewed")]])["access_mirror"] == {}
