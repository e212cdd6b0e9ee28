"""A handler goes over to the next generation of a topic once all partitions of the old one are closed for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest
from delivering import Delivered, record
from house import House
from shelf import COUNTING, TOPIC, JsonInsteadOfAvro

from eventfold import FoldGroup, Projection
from eventfold.errors import OffsetGap, TopicLost, TopicMisconfigured
from eventfold.fold.crossing import check_partitions, chosen
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.publish.generations import CLOSED_TYPE, Barrier, logical, number, physical

BARRIER_SEQ = 10
OFFSETS = (5, 0, 2)
"""Of three partitions, after two before."""


def closing(house: House, offset: int) -> Delivered:
    barrier = Barrier(f"{house.prefix}{TOPIC}.g2", 2, BARRIER_SEQ, OFFSETS)
    headers = {"ce_type": CLOSED_TYPE, "ce_sequence": str(BARRIER_SEQ), "ce_time": "2026-03-01T12:00:00.000000Z"}
    encoded = [(name, text.encode()) for name, text in headers.items()]
    return Delivered(offset, None, orjson.dumps(barrier.as_json()), encoded)


def runner(house: House, projection: Projection = COUNTING) -> FoldRunner:
    return FoldRunner(
        worker="test",
        pool=house.pool,
        avro=JsonInsteadOfAvro(),
        groups=[FoldGroup("shelves", (projection,), parks=True)],
        topic_prefix=house.prefix,
    )


async def apply(house: House, folding: FoldRunner, partition: int, *records: Delivered, topic: str = TOPIC) -> None:
    await folding.apply([PartitionBatch(house.prefix + topic, partition, records)])


async def digests(house: House) -> list[tuple[Any, ...]]:
    return await house.rows("SELECT shelf, digest FROM shelf_count ORDER BY shelf")


async def positions(house: House) -> list[tuple[Any, ...]]:
    query = "SELECT topic LIKE '%.g2', partition, next_offset, seq, closed FROM fold_position ORDER BY 1, 2"
    return await house.rows(query)


async def test_a_handler_crosses_when_its_last_partition_is_closed(house: House) -> None:
    folding = runner(house)
    await apply(house, folding, 0, record(0, 1, "a", "x"), closing(house, 1))
    assert await positions(house) == [(False, 0, 2, 10, True)], "the other partition is still open"
    await apply(house, folding, 1, record(0, 2, "b", "y"), closing(house, 1))
    assert folding.crossed
    assert (await positions(house))[2:] == [(True, 0, 5, 10, False), (True, 1, 0, 10, False), (True, 2, 2, 10, False)]
    assert await digests(house) == [("a", "x;"), ("b", "y;")]


async def test_a_crossing_that_was_committed_and_not_heard_of_is_followed_all_the_same(house: House) -> None:
    for partition in (0, 1):
        await apply(house, runner(house), partition, closing(house, 0))
    crossed = await positions(house)
    again = runner(house)
    await apply(house, again, 1, closing(house, 0))
    assert again.crossed and await positions(house) == crossed


async def test_what_comes_after_the_closing_record_is_dropped_in_its_fetch_and_later(house: House) -> None:
    folding = runner(house)
    late = [record(2, 11, "a", "late"), record(3, 12, "a", "later")]
    await apply(house, folding, 0, record(0, 1, "a", "x"), closing(house, 1), *late)
    await apply(house, folding, 0, record(4, 13, "a", "last"), closing(house, 5))
    await apply(house, folding, 0, record(0, 1, "a", "x"), closing(house, 1), *late)
    assert await digests(house) == [("a", "x;")] and await positions(house) == [(False, 0, 2, 10, True)]


async def test_after_the_crossing_only_what_is_above_the_barrier_counts(house: House) -> None:
    folding = runner(house)
    for partition in (0, 1):
        await apply(house, folding, partition, closing(house, 0))
    folding.follow({("counting", house.prefix + TOPIC): f"{house.prefix}{TOPIC}.g2"})
    again = [record(2, 9, "a", "copied late"), record(3, 10, "a", "copied late"), record(4, 11, "a", "new")]
    await apply(house, folding, 2, *again, topic=f"{TOPIC}.g2")
    assert await digests(house) == [("a", "new;")]


async def test_a_closing_record_does_not_hide_that_records_before_it_are_missing(house: House) -> None:
    with pytest.raises(OffsetGap):
        await apply(house, runner(house), 0, closing(house, 3))
    assert await positions(house) == []


async def test_a_partition_whose_records_are_missing_before_its_end_is_not_closed(house: House) -> None:
    folding = runner(house)
    await apply(house, folding, 1, closing(house, 0))
    await apply(house, folding, 0, record(0, 1, "a", "x", 0), record(1, 5, "a", "z", 4), closing(house, 2))
    assert not folding.crossed, "event 4 is still to come"
    closed = await house.rows("SELECT partition, next_offset, closed FROM fold_position ORDER BY partition")
    assert closed == [(0, 1, False), (1, 1, True)]


async def test_workers_that_close_the_last_two_partitions_at_once_still_cross(house: House) -> None:
    local = replace(COUNTING, partition_local=True)
    for _ in range(10):
        both = [runner(house, local) for _ in range(2)]
        closed = (record(0, 1, "a", "x"), closing(house, 1)), (record(0, 2, "b", "y"), closing(house, 1))
        await asyncio.gather(*(apply(house, both[n], n, *closed[n]) for n in range(2)))
        assert len(await positions(house)) == 5
        await house.rows("DELETE FROM fold_position RETURNING 1")


def test_names_of_generations() -> None:
    assert [physical("a.b", n) for n in (1, 2, 11)] == ["a.b", "a.b.g2", "a.b.g11"]
    assert [(logical(name), number(name)) for name in ("a.b", "a.b.g2", "a.b.g11")] == [
        ("a.b", 1),
        ("a.b", 2),
        ("a.b", 11),
    ]


def test_a_handler_reads_its_newest_generation_and_a_new_one_the_oldest_that_exists() -> None:
    wanted = [("old", "t"), ("new", "t"), ("old", "u")]
    stored = {("old", "t"), ("old", "t.g9"), ("old", "t.g10")}
    assert chosen(wanted, stored, ["t.g10", "t.g9"]) == {
        ("old", "t"): "t.g10",
        ("new", "t"): "t.g9",
        ("old", "u"): "u",
    }


def test_no_other_topic_is_read_in_place_of_one_that_is_lost() -> None:
    with pytest.raises(TopicLost, match=r"t\.g2"):
        chosen([("old", "t")], {("old", "t"), ("old", "t.g2")}, ["t", "t.g3"])


async def test_a_topic_that_lost_partitions_is_refused_and_added_ones_are_left_alone(house: House) -> None:
    async with house.pool.connection() as conn:
        await check_partitions(conn, ["t"], {"t": 4, "other": 1})
        await check_partitions(conn, ["t"], {"t": 4, "other": 2})
        await check_partitions(conn, ["t"], {"t": 8})
        with pytest.raises(TopicMisconfigured, match="2 partitions, 4 when first read"):
            await check_partitions(conn, ["t"], {"t": 2})
