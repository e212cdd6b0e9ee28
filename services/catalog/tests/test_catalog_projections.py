"""The folds: sums and rows that do not depend on how partitions interleave or where batches are cut."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from catalog.access.projections import MIRROR, AccessRow
from catalog.bootstrap import DEFINITION
from catalog.content.projections import COUNTING, INDEX, ContentRow, CounterRow
from catalog.interaction.projections import COMMENTING, CommentRow
from contracts.events import billing
from contracts.events import catalog as public
from eventfold import PublicRecord, PublicType
from eventfold.testing import folded, record

AT = datetime(2026, 3, 1, tzinfo=UTC)


ACTS: Mapping[str, PublicType[Any]] = {
    kind.name.split(".")[3]: kind for kind in (*COUNTING.on, public.INTERACTION_UNLIKED)
}


def act(seq: int, member: str, content: str, action: str, **data: Any) -> PublicRecord:
    return record(ACTS[action], {"member_id": member, "content_id": content, "occurred_at": AT, **data}, seq)


def history(member: str, first: int) -> list[PublicRecord]:
    """One member: looks, likes twice over, rates 2 then 5, comments, shares, completes."""
    steps: list[tuple[str, dict[str, Any]]] = [
        ("viewed", {"watched_ms": 5}),
        ("liked", {}),
        ("rated", {"rating": 2, "previous": None}),
        ("unliked", {}),
        ("liked", {}),
        ("rated", {"rating": 5, "previous": 2}),
        ("shared", {"channel": "mail"}),
        ("completed", {}),
        ("commented", {"comment_id": f"c-{member}", "length_chars": 3}),
    ]
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
    assert folded(COUNTING, *cut)["content_counter"] == {("x",): CounterRow("x", 3, 3, 3, 3, 3, 15, 3)}


@given(batches())
def test_every_comment_has_its_row_however_members_interleave(cut: list[list[PublicRecord]]) -> None:
    rows = folded(COMMENTING, *cut)["content_comment"]
    assert rows == {("x", f"c-m{n}"): CommentRow("x", f"c-m{n}", f"m{n}", AT) for n in range(3)}


def test_counters_do_not_wait_for_the_content() -> None:
    assert folded(COUNTING, [act(1, "m", "not-there-yet", "liked")])["content_counter"] == {
        ("not-there-yet",): CounterRow("not-there-yet", 0, 1, 0, 0, 0, 0, 0)
    }


def test_published_content_is_in_the_feed_once() -> None:
    data: public.ContentPublished = {
        "content_id": "c",
        "creator_id": "m",
        "kind": "text",
        "title": "T",
        "excerpt": "e",
        "tags": ["a"],
        "category": None,
        "access": "paid",
        "body_sha256": None,
        "media_uri": None,
        "duration_ms": None,
        "lesson_count": 0,
        "published_at": AT,
    }
    event = record(public.CONTENT_PUBLISHED, data)
    assert folded(INDEX, [event, event], [event])["content_index"] == {
        ("c",): ContentRow("c", "m", "text", "T", "e", ["a"], "paid", AT)
    }


def grant(seq: int, entitlement: str, expires_at: datetime | None) -> PublicRecord:
    return record(
        billing.ENTITLEMENT_GRANTED,
        {
            "entitlement_id": entitlement,
            "member_id": "m",
            "product_id": "c",
            "source": "purchase",
            "order_id": "o",
            "granted_at": AT,
            "expires_at": expires_at,
        },
        seq,
    )


@given(st.permutations(range(4)))
def test_each_entitlement_stands_alone_in_any_order(order: list[int]) -> None:
    ends = [None, AT, AT + timedelta(days=1), None]
    rows = folded(MIRROR, *([grant(n, f"e{n}", ends[n])] for n in order))["access_mirror"]
    assert rows == {(f"e{n}",): AccessRow(f"e{n}", "m", "c", ends[n]) for n in range(4)}


def test_entitlements_halt_rather_than_lose_one() -> None:
    [group] = [one for one in DEFINITION.groups if MIRROR in one.projections]
    assert not group.parks


def test_types_that_a_fold_does_not_know_change_nothing() -> None:
    archived = record("lyceum.catalog.content.archived.v1", {"content_id": "c"})
    assert folded(INDEX, [archived])["content_index"] == {}
    assert folded(MIRROR, [record("lyceum.billing.entitlement.renewed.v1", {})])["access_mirror"] == {}
