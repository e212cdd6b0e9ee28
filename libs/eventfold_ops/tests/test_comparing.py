"""Two copies of a read table are compared by content: exactly, but for the last digits of floats."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from house import House

from eventfold import ReadTable
from eventfold_ops.comparing import Compared, compare
from eventfold_ops.progress import Progress


class Measured(NamedTuple):
    name: str
    at: int
    tags: list[str]
    value: float | None


TABLE = ReadTable("measured", Measured, 2)
ROWS = [("a", 1, '["x"]', 1.0), ("a", 2, "[]", None), ("b", 1, "[]", 1e12)]


async def compared(house: House, change: str = "") -> Compared:
    name = house.prefix[:-1]
    async with house.pool.connection() as conn:
        await conn.execute(f"CREATE SCHEMA {name}_shadow")
        for schema in (name, f"{name}_shadow"):
            await conn.execute(f"SET search_path = {schema}")
            await conn.execute(TABLE.create_sql)
            rows = ROWS if schema == name else reversed(ROWS)
            await conn.cursor().executemany("INSERT INTO measured VALUES (%s, %s, %s, %s)", list(rows))
        if change:
            await conn.execute(change)
        await conn.execute(f"SET search_path = {name}")
        return await compare(conn, TABLE, name, f"{name}_shadow")


@pytest.mark.parametrize(
    "change",
    ["", "UPDATE measured SET value = value * (1 + 1e-9)", "UPDATE measured SET value = 1.000000009 WHERE value = 1"],
)
async def test_what_differs_by_less_than_the_tolerance_is_equal(house: House, change: str) -> None:
    found = await compared(house, change)
    assert found.equal and found.live_rows == 3


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("UPDATE measured SET value = 1.00000002 WHERE value = 1", ("a", 1)),
        ("UPDATE measured SET value = 0 WHERE value IS NULL", ("a", 2)),
        ("UPDATE measured SET value = 'NaN' WHERE value = 1", ("a", 1)),
        ("UPDATE measured SET value = 'Infinity' WHERE value = 1", ("a", 1)),
        ("UPDATE measured SET tags = '[\"y\"]' WHERE name = 'b'", ("b", 1)),
        ("DELETE FROM measured WHERE name = 'b'", ("b", 1)),
        ("INSERT INTO measured VALUES ('c', 3, '[]', NULL)", ("c", 3)),
    ],
)
async def test_any_other_difference_is_found_with_its_key(house: House, change: str, key: tuple[str, int]) -> None:
    found = await compared(house, change)
    assert not found.equal and found.different == (key,)


class Shown(NamedTuple):
    name: str
    at: datetime
    value: float


SWEPT = ReadTable("shown", Shown, swept_by="at")
DAY = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 10)]


@pytest.mark.parametrize(
    ("live_days", "changed", "keys"),
    [
        ([4, 5, 6], "", ()),
        ([1, 2, 3, 4, 5, 6], "", ()),
        ([], "", (("d1",), ("d2",), ("d3",), ("d4",), ("d5",))),
        ([4, 6], "", (("d5",),)),
        ([4, 5, 6], "DELETE FROM shown WHERE name = 'd6'", (("d6",),)),
        ([4, 5, 6], "UPDATE shown SET value = 2 WHERE name = 'd5'", (("d5",),)),
        ([4, 5, 6], "UPDATE shown SET value = value + 1e-10", ()),
    ],
)
async def test_of_a_swept_table_only_what_is_newer_than_the_oldest_live_row_is_compared(
    house: House, live_days: list[int], changed: str, keys: tuple[tuple[str], ...]
) -> None:
    name = house.prefix[:-1]
    async with house.pool.connection() as conn:
        await conn.execute(f"CREATE SCHEMA {name}_shadow")
        for schema, days in ((name, live_days), (f"{name}_shadow", range(1, 7))):
            await conn.execute(f"SET search_path = {schema}")
            await conn.execute(SWEPT.create_sql)
            rows = [(f"d{day}", DAY[day], 1.0) for day in days]
            await conn.cursor().executemany("INSERT INTO shown VALUES (%s, %s, %s)", rows)
        if changed:
            await conn.execute(changed)
        await conn.execute(f"SET search_path = {name}")
        found = await compare(conn, SWEPT, name, f"{name}_shadow")
    assert (found.equal, found.different) == (not keys, keys)


def test_a_progress_line_says_how_far_how_fast_and_how_long() -> None:
    progress = Progress("folding", total=4000)
    progress.add(1000)
    assert progress.line(2.0) == "folding: 1,000 of 4,000 (25%), 500/s, 6 s left"
