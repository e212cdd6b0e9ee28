"""Old rows of a read table are deleted oldest first, a bounded number at a time, by one process at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from house import House

from eventfold import ReadTable
from eventfold.fold.sweeping import sweep


class Shown(NamedTuple):
    name: str
    place: int
    at: datetime


class Undated(NamedTuple):
    name: str
    at: datetime | None


TABLE = ReadTable("shown", Shown, 2, swept_by="at")


async def filled(house: House, *days_ago: float) -> None:
    now = datetime.now(UTC)
    async with house.pool.connection() as conn:
        await conn.execute(TABLE.create_sql)
        await conn.cursor().executemany(
            "INSERT INTO shown VALUES (%s, %s, %s)",
            [(f"d{days:g}", place, now - timedelta(days=days)) for place, days in enumerate(days_ago)],
        )


async def swept(house: House, keep_days: int, limit_rows: int) -> int:
    async with house.pool.connection() as conn:
        return await sweep(conn, TABLE, keep_days=keep_days, limit_rows=limit_rows)


async def left(house: House) -> list[str]:
    async with house.pool.connection() as conn:
        return [row[0] for row in await (await conn.execute("SELECT name FROM shown ORDER BY at")).fetchall()]


async def test_rows_older_than_what_is_kept_go_oldest_first_and_no_more_than_asked(house: House) -> None:
    await filled(house, 1, 9, 4, 2.9, 3.1, 7)
    assert await swept(house, 3, 2) == 2
    assert await left(house) == ["d4", "d3.1", "d2.9", "d1"]
    assert await swept(house, 3, 9) == 2
    assert await swept(house, 3, 9) == 0
    assert await left(house) == ["d2.9", "d1"]


async def test_while_another_process_sweeps_nothing_is_deleted_twice_and_nobody_waits(house: House) -> None:
    await filled(house, 9, 8)
    async with house.pool.connection() as other, other.transaction():
        assert await sweep(other, TABLE, keep_days=3, limit_rows=1) == 1
        assert await swept(house, 3, 9) == 0
    assert await swept(house, 3, 9) == 1


@pytest.mark.parametrize("column", ["name", "place", "nothing"])
def test_a_table_is_swept_by_a_column_of_time_only(column: str) -> None:
    with pytest.raises(ValueError, match=f"cannot be swept by {column}"):
        ReadTable("shown", Shown, swept_by=column)


def test_a_time_that_may_be_missing_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be swept by at"):
        ReadTable("shown", Undated, swept_by="at")


async def test_a_table_that_is_not_swept_is_refused(house: House) -> None:
    async with house.pool.connection() as conn:
        with pytest.raises(ValueError, match="does not say by which column"):
            await sweep(conn, ReadTable("undated", Undated), keep_days=1, limit_rows=1)
