"""Groups of folds: what fails in one keeps no other, and what a group that parks cannot fold it sets aside."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from delivering import Delivered, record
from house import House
from prometheus_client import REGISTRY
from shelf import COUNTING, FILLED, TOPIC, JsonInsteadOfAvro, count

from eventfold import Changes, FoldGroup, Process, Projection, PublicRecord, ReadTable, Rows, adds, on, projection
from eventfold.errors import FoldHalts, OffsetGap
from eventfold.fold import deadletter
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.vocabulary.decider import event_id


class TitleRow(NamedTuple):
    title: str
    times: int = 0


TITLES = ReadTable("shelf_title", TitleRow)
MONEY = projection("money", on(TITLES, FILLED, adds(times=1)))
"""Stands for what must never be left out."""


@pytest.fixture(autouse=True)
async def titles(house: House) -> None:
    async with house.pool.connection() as conn:
        await conn.execute(TITLES.create_sql)


def failing(on_titles: dict[str, Exception]) -> Projection:
    """Counts books, and fails on these titles."""

    def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
        for event in events:
            if failure := on_titles.get(event.data["title"]):
                raise failure
        return count(rows, events)

    return replace(COUNTING, fold=fold)


def runner(house: House, feed: Projection, *, avro: JsonInsteadOfAvro | None = None) -> FoldRunner:
    groups = [FoldGroup("feed", (feed,), parks=True), FoldGroup("money", (MONEY,))]
    return FoldRunner(
        worker="test", pool=house.pool, avro=avro or JsonInsteadOfAvro(), groups=groups, topic_prefix=house.prefix
    )


async def apply(house: House, folding: FoldRunner, records: list[Delivered]) -> None:
    await folding.apply([PartitionBatch(house.prefix + TOPIC, 0, records)])


async def parked(house: House) -> list[tuple[Any, ...]]:
    return await house.rows("SELECT event_id, reason FROM dead_letter ORDER BY seq")


async def counted(house: House) -> list[tuple[Any, ...]]:
    return await house.rows("SELECT shelf, digest FROM shelf_count ORDER BY shelf")


async def bought(house: House) -> int:
    return len(await house.rows("SELECT 1 FROM shelf_title"))


async def position(house: House, name: str) -> int:
    rows = await house.rows(f"SELECT next_offset::int FROM fold_position WHERE projection = '{name}'")
    return int(str(rows[0][0])) if rows else 0


def still(group: str) -> float:
    return REGISTRY.get_sample_value("eventfold_fold_group_still", {"worker": "test", "group": group}) or 0.0


WORK = [record(n, n + 1, shelf, title) for n, (shelf, title) in enumerate(zip("ababaa", "vwxyzq", strict=True))]
"""Two shelves in turn; `x` is the third record."""


@pytest.mark.parametrize("failure", [KeyError("title"), TypeError("no"), ZeroDivisionError()], ids=repr)
async def test_whatever_record_a_feed_fails_on_is_parked_with_the_later_ones_of_its_key(
    house: House, failure: Exception
) -> None:
    await apply(house, runner(house, failing({"x": failure})), WORK)
    assert await counted(house) == [("a", "v;"), ("b", "w;y;")]
    found = await parked(house)
    assert [one for one, _ in found] == [str(event_id("a", seq)) for seq in (3, 5, 6)]
    assert found[0][1] == f"{type(failure).__name__} in its fold", "no text of it: that may be personal"
    assert await position(house, "counting") == await position(house, "money") == 6 and await bought(house) == 6
    assert still("feed") == 0


async def test_several_records_that_fail_differently_are_each_found(house: House) -> None:
    await apply(house, runner(house, failing({"v": KeyError(), "w": TypeError()})), WORK)
    assert await counted(house) == [] and len(await parked(house)) == 6
    assert {reason for _, reason in await parked(house)} >= {"KeyError in its fold", "TypeError in its fold"}


async def test_a_value_that_its_column_does_not_take_is_that_records_fault(house: House) -> None:
    def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
        changes = count(rows, events)
        huge = {event.data["shelf"] for event in events if event.data["title"] == "x"}
        return {
            table: {key: row._replace(books=1 << 63) if row.shelf in huge else row for key, row in changed.items()}
            for table, changed in changes.items()
        }

    await apply(house, runner(house, replace(COUNTING, fold=fold)), WORK)
    assert await counted(house) == [("a", "v;"), ("b", "w;y;")]
    assert [one for one, _ in await parked(house)] == [str(event_id("a", seq)) for seq in (3, 5, 6)]


async def broken_table(house: House) -> Projection:
    async with house.pool.connection() as conn:
        await conn.execute("DROP TABLE shelf_count")
    return COUNTING


async def no_fold(house: House) -> Projection:
    return failing({"v": FoldHalts("the days are of another zone")})


@pytest.mark.parametrize("making", [broken_table, no_fold], ids=lambda made: made.__name__)
async def test_what_is_no_records_fault_parks_nothing_and_the_group_stands_still_alone(
    house: House, making: Callable[[House], Any]
) -> None:
    folding = runner(house, await making(house))
    await apply(house, folding, WORK[:3])
    await apply(house, folding, WORK[3:])
    assert still("feed") == 1 and await parked(house) == []
    assert await position(house, "counting") == 0 and await position(house, "money") == 6 and await bought(house) == 6
    place = (house.prefix + TOPIC, 0)
    assert await folding.start_offsets([place]) == {place: 6}, "the others do not read all again for it"
    # A new start tries again, from where the group stood
    healed = runner(house, replace(COUNTING, tables=(), fold=lambda rows, events: {}, keys=lambda events: {}))
    assert await healed.start_offsets([place]) == {place: 0}
    await apply(house, healed, WORK)
    assert await position(house, "counting") == 6 and await bought(house) == 6


async def test_a_feed_that_would_park_too_much_stands_still(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadletter, "MAX_PARKED_RECORDS", 2)
    await apply(house, runner(house, failing({"x": KeyError()})), WORK)
    assert still("feed") == 1 and await parked(house) == [] and await bought(house) == 6


async def test_a_record_that_cannot_be_decoded_halts_where_money_reads_its_topic(house: House) -> None:
    bad = replace(WORK[2], value=b"not json")
    with pytest.raises(json.JSONDecodeError):
        await apply(house, runner(house, COUNTING), [*WORK[:2], bad])


async def test_a_failure_of_what_must_not_be_left_out_is_raised_and_the_feed_is_ahead(house: House) -> None:
    broken = replace(MONEY, fold=failing({"x": KeyError("x")}).fold)
    groups = [FoldGroup("feed", (COUNTING,), parks=True), FoldGroup("money", (broken,))]
    folding = FoldRunner(
        worker="test", pool=house.pool, avro=JsonInsteadOfAvro(), groups=groups, topic_prefix=house.prefix
    )
    with pytest.raises(KeyError):
        await apply(house, folding, WORK)
    assert await position(house, "counting") == 6 and await position(house, "money") == 0
    assert await bought(house) == 0 and await parked(house) == []


async def test_missing_records_are_nobodys_to_park(house: House) -> None:
    with pytest.raises(OffsetGap):
        await apply(house, runner(house, failing({"x": KeyError()})), WORK[3:])
    assert await parked(house) == []


def test_a_process_is_in_no_group_that_parks() -> None:
    with pytest.raises(TypeError, match="cannot be left out"):
        FoldGroup("feed", (COUNTING,), (Process("granting", (FILLED,), lambda event: []),), parks=True)
