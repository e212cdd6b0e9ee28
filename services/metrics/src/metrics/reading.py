"""One consistent look at the read tables: all figures of an answer come from one snapshot."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from eventfold import Connection, Pool
from eventfold.postgres import built_under
from metrics.projections import activity
from metrics.projections.groups import groups


@dataclass(frozen=True, slots=True)
class Source:
    """How far a projection has come on one partition."""

    projection: str
    topic: str
    partition: int
    seq: int
    applied_at: datetime


_SOURCES = """SELECT projection, topic, partition, seq, applied_at FROM fold_position
WHERE projection = ANY(%s) AND NOT closed ORDER BY projection, topic, partition"""


class Reading:
    """Reads through a connection inside one REPEATABLE READ transaction. `zone` is that of the calendar days."""

    def __init__(self, conn: Connection, zone: ZoneInfo) -> None:
        self._conn = conn
        self.zone = zone

    async def rows(self, query: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None) -> list[Any]:
        """The rows that a query returns."""
        return await (await self._conn.execute(query.encode(), parameters)).fetchall()

    async def row(self, query: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None) -> Any:
        """The one row that a query returns."""
        return (await self.rows(query, parameters))[0]

    async def sources(self, projections: Sequence[str]) -> Sequence[Source]:
        """How far these projections have come."""
        return [Source(*row) for row in await self.rows(_SOURCES, [list(projections)])]


Look = Callable[[], AbstractAsyncContextManager[Reading]]
"""Opens one consistent look at the read tables."""


def postgres_look(pool: Pool, zone: ZoneInfo) -> Look:
    """Reads the tables through `pool`. Raises `BuiltUnderOther` if days were counted in another zone."""
    wanted = {activity.NAME: activity.built_under(zone)}
    begin = _begin(zone)

    @contextlib.asynccontextmanager
    async def look() -> AsyncIterator[Reading]:
        async with pool.connection() as conn, conn.transaction():
            await conn.execute(begin, prepare=False)  # two statements
            await built_under.check(conn, wanted)
            yield Reading(conn, zone)

    return look


def _begin(zone: ZoneInfo) -> bytes:
    """The locks come before the snapshot: otherwise a rebuild could swap the tables between two statements of one
    answer."""
    tables = [table.name for group in groups(zone) for one in group.projections for table in one.tables]
    return (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; "
        f"LOCK TABLE {', '.join(tables)} IN ACCESS SHARE MODE"
    ).encode()
