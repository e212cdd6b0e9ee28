"""The factors' read tables in PostgreSQL, read for a follower."""

from __future__ import annotations

from eventfold import Connection, Pool
from eventfold.reading.following import Mark, continued, hand_over, look
from reco.application.live_factors import Look, Reached
from reco.application.pairs import Pairs
from reco.projections.factors import FACTORS, ITEMS, PAIRS

_POSITIONS = (
    "SELECT topic, partition, seq, applied_at FROM fold_position WHERE projection = %s AND NOT closed "
    "ORDER BY topic, partition"
)


class PostgresFactorTables:
    """Reads positions and changed rows in one snapshot, so that the rows contain everything up to the positions."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read_changes(self, last: Mark | None, pairs: Pairs) -> Look:
        """See `FactorTables`."""
        async with self._pool.connection() as conn, conn.transaction():
            now = await look(conn, FACTORS.tables)
            since = continued(last, now)
            taking = pairs if since else pairs.emptied()
            await hand_over(conn, ITEMS, since, taking.take_items)
            await hand_over(conn, PAIRS, since, taking.take_pairs)
            return Look(now, await _reached(conn), taking)


async def _reached(conn: Connection) -> list[Reached]:
    rows = await (await conn.execute(_POSITIONS, [FACTORS.name])).fetchall()
    return [Reached(*row) for row in rows]
