"""Keeping up with followed read tables: finds the rows that have changed since they were last read.

A followed row carries the transaction that last wrote it. A mark is the snapshot of a reading; the rows changed since
then are those whose writer this snapshot does not show. This is true in whatever order partitions were folded, and also
for redriven records from far behind the positions. It does not show deleted rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from psycopg import sql

from eventfold.fold.tables import CHANGED_IN, ReadTable, Row
from eventfold.postgres.sessions import Connection

BATCH_ROWS: Final = 5_000
_BEGIN: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_LOCK: Final = sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE")
# A restored or promoted server may give the same transaction ids to other transactions. Its start time tells it apart.
_MARK: Final = """SELECT pg_current_snapshot()::text, array_to_string(
extract(epoch FROM pg_postmaster_start_time())::text
|| ARRAY(SELECT to_regclass(name)::oid::text FROM unnest(%s::text[]) WITH ORDINALITY AS t(name, n) ORDER BY n), '/')"""
_ROWS: Final = sql.SQL("SELECT {} FROM {}")
_ANY: Final = sql.SQL("(SELECT {name} FROM {table}")
# The index answers the first condition. The second one excludes rows that pass the first only because of a long
# transaction elsewhere.
_SINCE: Final = sql.SQL(
    " WHERE {column} >= pg_snapshot_xmin(%(snapshot)s::pg_snapshot)"
    " AND NOT pg_visible_in_snapshot({column}, %(snapshot)s::pg_snapshot)"
)


class Mark(NamedTuple):
    """What a reading has seen. `snapshot` says which transactions were visible; `copy` identifies the server and tables
    to which they belong."""

    snapshot: str
    copy: str


async def look(conn: Connection, tables: Sequence[ReadTable[Any]]) -> Mark:
    """Begin reading. Call it first in a transaction; the whole transaction then sees the tables as of now.

    Until the transaction ends, a rebuild waits before it replaces the tables. This call waits for a rebuild that is
    already replacing them.
    """
    await conn.execute(_BEGIN)
    await conn.execute(_LOCK.format(sql.SQL(", ").join(sql.Identifier(table.name) for table in tables)))
    row = await (await conn.execute(_MARK, [[table.name for table in tables]])).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM
    return Mark(*row)


def continued(last: Mark | None, now: Mark) -> Mark | None:
    """`last`, if a copy made then can be brought to `now` by applying the changes. None if all rows must be read again:
    a rebuild replaced the tables, or the server was restarted, replaced by failover, or restored."""
    return last if last and last.copy == now.copy else None


async def changed(conn: Connection, tables: Sequence[ReadTable[Any]], since: Mark | None) -> list[ReadTable[Any]]:
    """Those of `tables` with rows that were written after `since` (None: all of them), in one query. Call it in the
    transaction of the `look` whose mark will be the next `since`."""
    if since is None:
        return list(tables)
    each = (
        _ANY.format(name=sql.Literal(table.name), table=sql.Identifier(table.name))
        + _SINCE.format(column=sql.Identifier(CHANGED_IN))
        + sql.SQL(" LIMIT 1)")
        for table in tables
    )
    found = await (await conn.execute(sql.SQL(" UNION ALL ").join(each), {"snapshot": since.snapshot})).fetchall()
    names = {row[0] for row in found}
    return [table for table in tables if table.name in names]


async def hand_over(
    conn: Connection, table: ReadTable[Row], since: Mark | None, take: Callable[[Sequence[Row]], None]
) -> None:
    """Hand the rows written after `since` (None: all) to `take`, at most 5,000 at a time, in no order.

    Call it in the transaction of the `look` whose mark will be the next `since`.
    """
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    query = _ROWS.format(columns, sql.Identifier(table.name))
    if since is not None:
        query += _SINCE.format(column=sql.Identifier(CHANGED_IN))
    async with conn.cursor(name="changes") as cursor:
        await cursor.execute(query, None if since is None else {"snapshot": since.snapshot})
        while rows := await cursor.fetchmany(BATCH_ROWS):
            take([table.row_class._make(row) for row in rows])  # type: ignore[attr-defined]
