"""Rows remember the settings that they were built under: who has others neither folds into them nor reads them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from delivering import record
from house import House
from shelf import COUNTING, TOPIC, JsonInsteadOfAvro

from eventfold import FoldGroup, Projection
from eventfold.errors import BuiltUnderOther
from eventfold.fold.readmodel import settings_of
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.postgres import built_under, schema

RECORDED = "SELECT setting, value FROM built_under WHERE projection = 'counting'"
BUILT = "SELECT sum(books)::int, (SELECT sum(next_offset)::int FROM fold_position) FROM shelf_count"


def counting(**settings: str) -> Projection:
    return replace(COUNTING, built_under=settings)


async def fold(house: House, projection: Projection, partition: int = 0, *, parks: bool = True) -> None:
    """Apply the next record of the partition."""
    group = FoldGroup("shelves", (projection,), parks=parks)
    runner = FoldRunner(
        worker="t", pool=house.pool, avro=JsonInsteadOfAvro(), groups=[group], topic_prefix=house.prefix
    )
    at = await runner.start_offsets([(house.prefix + TOPIC, partition)])
    offset = at[house.prefix + TOPIC, partition]
    one = record(offset, 2 * offset + partition + 1, f"s{partition}", f"t{offset}")
    await runner.apply([PartitionBatch(house.prefix + TOPIC, partition, [one])])


async def test_the_first_who_folds_records_the_settings(house: House) -> None:
    await fold(house, counting(ZONE="UTC"))
    assert await house.rows(RECORDED) == [("ZONE", "UTC")]


@pytest.mark.parametrize("parks", [True, False])
async def test_a_worker_with_another_value_halts_by_name_and_writes_nothing(house: House, parks: bool) -> None:
    """Given rows built under one value, when a worker with another folds, then neither rows nor positions change, no
    record is parked, and a worker with the first value goes on."""
    await fold(house, counting(ZONE="UTC"))
    with pytest.raises(BuiltUnderOther) as refused:
        await fold(house, counting(ZONE="Asia/Shanghai"), parks=parks)
    named = refused.value
    assert (named.projection, named.setting, named.found, named.wanted) == ("counting", "ZONE", "UTC", "Asia/Shanghai")
    assert "set it back, or run `rebuild counting --new-settings`" in str(named)
    assert await house.rows(BUILT) == [(1, 1)] and await house.rows("SELECT 1 FROM dead_letter") == []
    await fold(house, counting(ZONE="UTC"))
    assert await house.rows(BUILT) == [(2, 2)]


async def test_a_worker_that_knows_the_value_from_before_a_change_is_refused_in_its_next_transaction(
    house: House,
) -> None:
    await fold(house, counting(ZONE="UTC"))
    await house.rows("UPDATE built_under SET value = 'Asia/Shanghai' RETURNING 1")
    with pytest.raises(BuiltUnderOther, match="built under ZONE=Asia/Shanghai, and this process has ZONE=UTC"):
        await fold(house, counting(ZONE="UTC"))
    assert await house.rows(BUILT) == [(1, 1)]


async def test_a_change_that_is_not_over_is_waited_for(house: House) -> None:
    """Given a rebuild that holds the projection's turn, when a worker with the value from before folds, then it waits
    for the end of the change and is refused."""
    await fold(house, counting(ZONE="UTC"))
    async with await house.connect() as changing, changing.transaction():
        await changing.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '|fold|counting', 0))"
        )
        await changing.execute("UPDATE built_under SET value = 'Asia/Shanghai'")
        waiting = asyncio.create_task(fold(house, counting(ZONE="UTC")))
        await asyncio.wait({waiting}, timeout=0.3)
        assert not waiting.done()
    with pytest.raises(BuiltUnderOther):
        await waiting


async def test_of_two_who_record_at_once_one_is_refused(house: House) -> None:
    values = [str(n) for n in range(8)]
    folding = [fold(house, counting(ZONE=value), n % 2) for n, value in enumerate(values)]
    done = await asyncio.gather(*folding, return_exceptions=True)
    [(_, recorded)] = await house.rows(RECORDED)
    refused = [one for one in done if isinstance(one, BuiltUnderOther)]
    assert len(refused) == len(values) - 1
    assert {one.found for one in refused} == {recorded} and recorded not in {one.wanted for one in refused}


async def test_a_further_setting_is_recorded_beside_the_others_and_one_that_is_gone_does_not_count(
    house: House,
) -> None:
    await fold(house, counting(ZONE="UTC"))
    await fold(house, counting(ZONE="UTC", WEEK="monday"))
    assert sorted(await house.rows(RECORDED)) == [("WEEK", "monday"), ("ZONE", "UTC")]
    await fold(house, counting(WEEK="monday"))
    with pytest.raises(BuiltUnderOther, match="WEEK=monday"):
        await fold(house, counting(WEEK="sunday"))


async def test_a_reader_is_refused_by_name_and_records_nothing(house: House) -> None:
    async with house.pool.connection() as conn:
        await built_under.check(conn, settings_of([counting(ZONE="UTC")]))
        assert await house.rows(RECORDED) == []
        await built_under.keep(conn, settings_of([counting(ZONE="UTC")]))
        with pytest.raises(BuiltUnderOther):
            await built_under.check(conn, settings_of([counting(ZONE="PRC")]))
        wanted = settings_of([counting(ZONE="PRC", WEEK="monday"), replace(COUNTING, name="other")])
        assert [one.setting for one in await built_under.differences(conn, wanted)] == ["ZONE"]


def test_the_tables_of_a_store_of_the_version_before_are_brought_up() -> None:
    done: list[str] = []

    def query(statement: str) -> list[tuple[object, ...]]:
        done.append(statement)
        return [("eventfold_schema",)] if "to_regclass" in statement else [(8,)]

    schema.upgrade(query)
    assert [one.split(" (")[0] for one in done if one.startswith("CREATE")] == ["CREATE TABLE built_under"]
