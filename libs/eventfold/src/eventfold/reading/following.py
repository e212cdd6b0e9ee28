"""Keeping up with followed read tables: which rows have changed since they were last read.

A followed row carries the transaction that wrote it last, and a mark is the snapshot of a reading: the rows that have
changed since are those whose writer that snapshot does not show. This holds in whatever order partitions were folded,
and of records that are redriven from far behind the positions. It says nothing of deleted rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from psycopg import sql

from eventfold.fold.readmodel import CHANGED_IN, ReadTable, Row
from eventfold.postgres.sessions import Connection

BATCH_ROWS: Final = 5_000
_BEGIN: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_LOCK: Final = sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE")
# Another server, restored or promoted, may give the same transaction ids to others: when it started tells it apart.
_MARK: Final = """SELECT pg_current_snapshot()::text, array_to_string(
extract(epoch FROM pg_postmaster_start_time())::text
|| ARRAY(SELECT to_regclass(name)::oid::text FROM unnest(%s::text[]) WITH ORDINALITY AS t(name, n) ORDER BY n), '/')"""
_ROWS: Final = sql.SQL("SELECT {} FROM {}")
# The first condition is what the index answers; the second leaves out what a long transaction elsewhere keeps above it.
_SINCE: Final = sql.SQL(
    " WHERE {column} >= pg_snapshot_xmin(%(snapshot)s::pg_snapshot)"
    " AND NOT pg_visible_in_snapshot({column}, %(snapshot)s::pg_snapshot)"
)


class Mark(NamedTuple):
    """What has been read. `snapshot`: the transactions that it shows; `copy`: the server and tables they count in."""

    snapshot: str
    copy: str


async def look(conn: Connection, tables: Sequence[ReadTable[Any]]) -> Mark:
    """Begin reading: to be called first in a transaction, all of which then sees the tables as of now.

    Until the transaction ends a rebuild waits to replace the tables, and this call waits for one that is under way.
    """
    await conn.execute(_BEGIN)
    await conn.execute(_LOCK.format(sql.SQL(", ").join(sql.Identifier(table.name) for table in tables)))
    row = await (await conn.execute(_MARK, [[table.name for table in tables]])).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM
    return Mark(*row)


def continued(last: Mark | None, now: Mark) -> Mark | None:
    """`last`, if a copy made then can be brought to `now` by what changed. If None, all rows are new to it: tables
    were replaced by a rebuild, or the server by a restart, a failover or a restore."""
    return last if last and last.copy == now.copy else None


async def hand_over(
    conn: Connection, table: ReadTable[Row], since: Mark | None, take: Callable[[Sequence[Row]], None]
) -> None:
    """Hand the rows written after `since` (None: all) to `take`, at most 5,000 at a time, in no order.

    In the transaction of the `look` whose mark will be the next `since`.
    """
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    query = _ROWS.format(columns, sql.Identifier(table.name))
    if since is not None:
        query += _SINCE.format(column=sql.Identifier(CHANGED_IN))
    async with conn.cursor(name="changes") as cursor:
        await cursor.execute(query, None if since is None else {"snapshot": since.snapshot})
        while rows := await cursor.fetchmany(BATCH_ROWS):
            take([table.row_class._make(row) for row in rows])  # type: ignore[attr-defined]
