"""Deletes old rows of read tables that would grow for ever, a bounded number at a time, oldest first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from psycopg import sql

from eventfold.fold.tables import ReadTable
from eventfold.postgres import locks
from eventfold.postgres.sessions import Connection, Pool

PAUSE_S: Final = 1.0
"""Between two rounds, as long as there is more to delete; at 1,000 rows a round, ten million take three hours."""
EVERY_S: Final = 3_600.0

# One sweeper at a time: two would delete the same rows, and might wait for each other in a circle.
_ALONE: Final = f"SELECT pg_try_advisory_xact_lock({locks.key('sweep', '%s::text')})"
_SWEEP: Final = sql.SQL("""DELETE FROM {table} WHERE ({keys}) IN (SELECT {keys} FROM {table}
WHERE {by} < clock_timestamp() - make_interval(days => %s) ORDER BY {by} LIMIT %s)""")


async def sweep(conn: Connection, table: ReadTable[Any], *, keep_days: int, limit_rows: int) -> int:
    """Delete rows of a table that are older than `keep_days` by its column `swept_by`, at most `limit_rows`. Returns
    the number deleted; 0 while another process is at it.

    A rebuild brings old rows back, until they are swept again. Followers are not told. The connection must not be in a
    transaction.
    """
    if not table.swept_by:
        raise ValueError(f"{table.name} does not say by which column it is swept")
    async with conn.transaction():
        alone = await (await conn.execute(_ALONE, [table.name])).fetchone()
        if alone is None or not alone[0]:
            return 0
        keys = sql.SQL(", ").join(map(sql.Identifier, table.key_columns))
        statement = _SWEEP.format(table=sql.Identifier(table.name), keys=keys, by=sql.Identifier(table.swept_by))
        return (await conn.execute(statement, [keep_days, limit_rows])).rowcount


async def keep_swept(
    pool: Pool, table: ReadTable[Any], *, keep_days: int, limit_rows: int, swept: Callable[[int], None]
) -> None:
    """`sweep` the table until cancelled: at once, every hour, and again as long as there is more. `swept` is told how
    many rows each round deleted."""
    while True:
        async with pool.connection() as conn:
            deleted = await sweep(conn, table, keep_days=keep_days, limit_rows=limit_rows)
        swept(deleted)
        await asyncio.sleep(PAUSE_S if deleted == limit_rows else EVERY_S)
