"""The order in which things are sent."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lyceum_cli.importing.columns import KINDS, Kind
from lyceum_cli.importing.plan import EPOCH, MAX_BATCH_BYTES, batches
from lyceum_cli.importing.rows import Item

START = datetime(1997, 1, 1, tzinfo=UTC)


def made(kind: Kind, day: float, line: int = 0, text: str = "") -> Item:
    return Item(kind, KINDS.index(kind), line, f"{kind}-{day}-{line}", START + timedelta(days=day), {"text": text})


def test_given_two_months_then_each_slice_has_its_members_before_its_orders() -> None:
    found = batches([made("orders", 1), made("members", 45), made("orders", 46), made("members", 2)], slice_days=30)
    assert [one.kind for one in found] == ["members", "orders", "members", "orders"]


def test_given_a_slice_then_rows_of_a_kind_go_by_time_then_file_and_line() -> None:
    (batch,) = batches([made("orders", 2, 9), made("orders", 1, 8), made("orders", 2, 7)], slice_days=10_000)
    assert [one.line for one in batch.items] == [8, 7, 9]


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 400)), max_size=80),
    st.integers(1, 10),
    st.integers(1, 60),
    st.randoms(use_true_random=False),
)
def test_every_row_is_sent_once_in_a_plan_that_does_not_depend_on_the_order_of_reading(
    rows: list[tuple[Kind, int]], size: int, slice_days: int, rng: random.Random
) -> None:
    items = [made(kind, day, line) for line, (kind, day) in enumerate(rows)]
    found = batches(items, size, slice_days)
    shuffled = items[:]
    rng.shuffle(shuffled)
    assert batches(shuffled, size, slice_days) == found
    assert sorted(one.line for batch in found for one in batch.items) == list(range(len(rows)))
    assert all(len(batch.items) <= size and {one.kind for one in batch.items} == {batch.kind} for batch in found)
    slices = [(batch.items[0].at - EPOCH).days // slice_days for batch in found]
    assert slices == sorted(slices)


def test_given_long_texts_then_a_batch_stays_below_what_the_gateway_takes() -> None:
    found = batches([made("contents", 1, line, "字" * 300_000) for line in range(7)])
    assert [len(one.items) for one in found] == [3, 3, 1]
    assert MAX_BATCH_BYTES < 4 * 1024 * 1024


def test_given_an_act_before_its_content_was_published_then_it_comes_behind_the_content_all_the_same() -> None:
    early = replace(made("interactions", 1), content="contents-90-0")
    order = replace(made("orders", 2), content="contents-90-0")
    found = batches([early, order, made("interactions", 1, 1), made("contents", 90)], slice_days=30)
    assert [[one.external_id for one in batch.items] for batch in found] == [
        ["interactions-1-1"],
        ["contents-90-0"],
        ["interactions-1-0"],
        ["orders-2-0"],
    ]


def test_given_content_twice_then_the_first_counts() -> None:
    late = replace(made("contents", 90, 1), external_id="c")
    first = replace(made("contents", 1, 2), external_id="c")
    act = replace(made("interactions", 2), content="c")
    assert [batch.kind for batch in batches([late, first, act], slice_days=30)] == [
        "contents",
        "interactions",
        "contents",
    ]
