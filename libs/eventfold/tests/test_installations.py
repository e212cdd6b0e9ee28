"""Two installations in one database: neither waits for the other, nor is taken for it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from delivering import record
from house import House, built, context
from shelf import COUNTING, HOT_SHELF, SHELVES, TOPIC, JsonInsteadOfAvro, add

from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.postgres.locks import key
from eventfold_ops import shadow
from eventfold_ops.shadow import NotAShadow

WITHIN_S = 30.0
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def neighbour(postgres_url: str) -> AsyncIterator[House]:
    async with built(postgres_url) as one:
        yield one


async def test_a_hot_stream_is_not_locked_by_the_same_stream_next_door(house: House, neighbour: House) -> None:
    # Given a writer of a hot stream who is in no hurry, next door and here
    async with await neighbour.connect() as slow, slow.transaction():
        await neighbour.store.decide(slow, [add("one", "a", HOT_SHELF)], context())
        # When the stream of that name is written here, then nobody waits
        await asyncio.wait_for(house.store.handle(add("one", "b", HOT_SHELF), context()), WITHIN_S)
        assert await house.rows("SELECT data->>'title' FROM events") == [("b",)]
        # and who writes it next door does
        waiting = asyncio.create_task(neighbour.store.handle(add("one", "c", HOT_SHELF), context()))
        await asyncio.wait({waiting}, timeout=0.2)
        assert not waiting.done()
    await asyncio.wait_for(waiting, WITHIN_S)


async def test_folds_of_one_name_go_on_side_by_side(house: House, neighbour: House) -> None:
    batch = PartitionBatch(house.prefix + TOPIC, 0, [record(0, 1, "a", "x")])
    async with await neighbour.connect() as slow, slow.transaction():
        await slow.execute(f"SELECT pg_advisory_xact_lock({key('fold', '%s')})", [COUNTING.name])
        folding = FoldRunner(
            worker="test", pool=house.pool, avro=JsonInsteadOfAvro(), groups=[SHELVES], topic_prefix=house.prefix
        )
        await asyncio.wait_for(folding.apply([batch]), WITHIN_S)
    assert await house.rows("SELECT books FROM shelf_count") == [(1,)]


def test_every_advisory_lock_has_a_key_of_its_schema() -> None:
    """Within SQL functions too, which get their names from `locks.qualified`."""
    call = re.compile(r"pg_(?:try_)?advisory_\w+\((.{0,40})")
    found = {
        (file.name, argument)
        for folder in ("libs", "services")
        for file in (ROOT / folder).glob("*/src/**/*.py")
        for argument in call.findall(file.read_text(encoding="utf-8"))
    }
    strangers = {one for one in found if not one[1].startswith(("{locks.key(", "{key("))}
    assert strangers == {("schema.py", "hashtextextended(one, 0)); END LOOP; RET")}


async def test_a_rebuild_leaves_an_installation_whose_schema_is_named_like_a_shadow(house: House) -> None:
    live = house.prefix.removesuffix(".")
    async with await house.connect() as conn:
        await conn.execute(f"CREATE SCHEMA {live}_shadow".encode())
        await conn.execute(f"CREATE TABLE {live}_shadow.events (position bigint)".encode())
        await conn.execute(f"CREATE TABLE {live}_shadow.shelf_count (shelf text)".encode())
        with pytest.raises(NotAShadow, match="another installation"):
            await shadow.beside(conn, COUNTING)
    assert await house.rows(f"SELECT count(*) FROM {live}_shadow.shelf_count") == [(0,)]


async def test_a_schema_whose_shadow_would_have_a_cut_name_is_refused(house: House) -> None:
    long = "s" * 60
    async with await house.connect() as conn, conn.transaction(force_rollback=True):
        await conn.execute(f"CREATE SCHEMA {long}".encode())
        await conn.execute(f"SET LOCAL search_path = {long}".encode())
        with pytest.raises(NotAShadow, match="more than 63 bytes"):
            await shadow.beside(conn, COUNTING)
