"""A copy that follows a table has exactly what changed, whoever wrote it, in whatever order, whenever it was read."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import psycopg
import pytest
from house import House
from psycopg.errors import LockNotAvailable

from eventfold import Connection, ReadTable
from eventfold.reading.following import Mark, changed, continued, hand_over, look


class Owned(NamedTuple):
    name: str
    amount: int


TABLE = ReadTable("owned", Owned, followed=True)


class Copy:
    """Follows the table of a house; `news` is what the last reading handed over."""

    def __init__(self, house: House) -> None:
        self.rows: dict[str, int] = {}
        self.news: list[Owned] = []
        self._house = house
        self._last: Mark | None = None

    async def refresh(self) -> bool:
        """Whether the reading went on from the last one."""
        self.news = []
        async with self._house.pool.connection() as conn, conn.transaction():
            now = await look(conn, [TABLE])
            since = continued(self._last, now)
            if since is None:
                self.rows.clear()
            told = await changed(conn, [TABLE], since)
            for table in told:
                await hand_over(conn, table, since, self.news.extend)
            assert bool(self.news) == bool(told) or since is None, "a table is told of if, and only if, it changed"
        self.rows.update(self.news)
        self._last = now
        return since is not None


@pytest.fixture
async def owned(house: House) -> AsyncIterator[House]:
    async with house.pool.connection() as conn:
        await conn.execute(TABLE.create_sql)
    yield house


async def write(conn: Connection, *rows: tuple[str, int]) -> None:
    await conn.execute(TABLE.upsert_sql, TABLE.arrays(rows))


async def written(house: House, *rows: tuple[str, int]) -> None:
    async with house.pool.connection() as conn:
        await write(conn, *rows)


async def test_each_change_is_handed_over_once(owned: House) -> None:
    copy = Copy(owned)
    await written(owned, ("a", 1), ("b", 1))
    assert not await copy.refresh() and copy.rows == {"a": 1, "b": 1}
    await written(owned, ("b", 2), ("c", 1))
    assert await copy.refresh() and sorted(copy.news) == [("b", 2), ("c", 1)]
    assert await copy.refresh() and copy.news == []


async def test_a_writer_that_commits_after_later_ones_were_read_is_not_missed(owned: House) -> None:
    copy = Copy(owned)
    async with await owned.connect() as slow, slow.transaction():
        await write(slow, ("slow", 1))
        await written(owned, ("quick", 1))
        await copy.refresh()
        assert copy.rows == {"quick": 1}
    assert await copy.refresh() and copy.news == [("slow", 1)]


async def test_a_long_transaction_in_another_database_repeats_nothing(owned: House, postgres_url: str) -> None:
    copy = Copy(owned)
    name = f"{owned.prefix[:-1]}_other"
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(f"CREATE DATABASE {name}")
        other = psycopg.conninfo.make_conninfo(postgres_url, dbname=name)
        async with await psycopg.AsyncConnection.connect(other) as busy:
            await busy.execute("CREATE TABLE busy AS SELECT 1 AS it")  # open until the block ends
            await written(owned, ("a", 1))
            await copy.refresh()
            await written(owned, ("b", 1))
            assert await copy.refresh() and copy.news == [("b", 1)]
        await admin.execute(f"DROP DATABASE {name}")


async def test_rows_of_a_savepoint_count_like_those_around_it(owned: House) -> None:
    copy = Copy(owned)
    await copy.refresh()
    async with await owned.connect() as conn, conn.transaction():
        await write(conn, ("outer", 1))
        async with conn.transaction():
            await write(conn, ("inner", 1))
        await copy.refresh()
        assert copy.news == []
    assert await copy.refresh() and sorted(copy.news) == [("inner", 1), ("outer", 1)]


async def test_a_table_put_in_its_place_is_read_whole(owned: House) -> None:
    """As a rebuild does it: the new table's rows were all written before the copy last looked."""
    copy = Copy(owned)
    await written(owned, ("a", 1), ("gone", 1))
    async with owned.pool.connection() as conn:
        await conn.execute("CREATE SCHEMA IF NOT EXISTS " + (shadow := f"{owned.prefix[:-1]}_shadow"))
        await conn.execute(f"CREATE TABLE {shadow}.owned (LIKE owned INCLUDING ALL)")
        await conn.execute(f"INSERT INTO {shadow}.owned VALUES ('a', 7)")
        await copy.refresh()
        async with conn.transaction():
            await conn.execute("DROP TABLE owned")
            await conn.execute(f"ALTER TABLE {shadow}.owned SET SCHEMA {owned.prefix[:-1]}")
    assert not await copy.refresh() and copy.rows == {"a": 7}


async def test_a_table_is_not_replaced_while_it_is_read(owned: House) -> None:
    async with owned.pool.connection() as reading, reading.transaction():
        await look(reading, [TABLE])
        async with await owned.connect() as replacing:
            await replacing.execute("SET lock_timeout = '50ms'")
            with pytest.raises(LockNotAvailable):
                await replacing.execute("DROP TABLE owned")


@pytest.mark.parametrize("seed", range(8))
async def test_a_copy_equals_the_table_after_any_interleaving(owned: House, seed: int) -> None:
    """Writers open, write, commit and roll back in any order; the copy looks in between and misses and repeats none."""
    chance, copy = random.Random(seed), Copy(owned)
    committed: dict[str, int] = {}
    fresh: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(await owned.connect()) for _ in range(3)]
        under_way: list[dict[str, int] | None] = [None, None, None]
        for number in range(60):
            one = chance.randrange(4)
            if one == 3:
                await copy.refresh()
                assert (copy.rows, dict(copy.news)) == (committed, fresh)
                fresh = {}
            elif (writing := under_way[one]) is None:
                await writers[one].execute("BEGIN")
                row = (f"{one}-{chance.randrange(3)}", number)  # keys of its own: no writer waits for another
                await write(writers[one], row)
                under_way[one] = dict([row])
            else:
                keeps = chance.random() < 0.7
                await writers[one].execute("COMMIT" if keeps else "ROLLBACK")
                under_way[one] = None
                for told in (committed, fresh) if keeps else ():
                    told.update(writing)
        await copy.refresh()
        assert copy.rows == committed
