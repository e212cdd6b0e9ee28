"""What the queries of all slices are made of. Lists are paged by key: `after` is the last row of the page before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventfold import Pool
from servicekit.paging import PageStart


async def rows_of(pool: Pool, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows of one bounded query."""
    async with pool.connection() as conn:
        return await (await conn.execute(sql, values)).fetchall()


def before(time_column: str, id_column: str, after: PageStart | None) -> tuple[str, list[Any]]:
    """The condition (and its values) of a page, newest first, that continues below `after`."""
    return ("", []) if after is None else (f" AND ({time_column}, {id_column}) < (%s, %s)", list(after))
