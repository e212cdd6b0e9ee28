"""The factors' read tables in PostgreSQL, read as a follower needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eventfold.generations import logical
from eventfold.readmodel import ReadTable
from eventfold.store import Connection, Pool
from reco.application.live_factors import Reached
from reco.projections.factors import FACTORS, ITEMS, PAIRS, ItemRow, PairRow, lane

BATCH_ROWS = 5_000
_POSITIONS = (
    "SELECT topic, partition, seq, applied_at FROM fold_position WHERE projection = %s AND NOT closed "
    "ORDER BY topic, partition"
)


class PostgresFactorTables:
    """Reads positions and changed rows in one snapshot: what the positions say is in the rows."""

    def __init__(self, pool: Pool, topic_prefix: str) -> None:
        self._pool = pool
        self._prefix = topic_prefix

    async def read_changes(
        self, seen: Mapping[int, int], take_items: Callable[[Sequence[ItemRow]], None],
        take_pairs: Callable[[Sequence[PairRow]], None],
    ) -> Sequence[Reached]:  # fmt: skip
        """See `FactorTables`."""
        async with self._pool.connection() as conn, conn.transaction():
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return await self._read(conn, seen, take_items, take_pairs)

    async def _read(self, conn: Connection, seen: Mapping[int, int], take_items: Any, take_pairs: Any) -> list[Reached]:
        rows = await (await conn.execute(_POSITIONS, [FACTORS.name])).fetchall()
        reached = [Reached(self._lane(topic, part), topic, part, seq, at) for topic, part, seq, at in rows]
        moved = [one for one in reached if one.seq > seen.get(one.lane, 0)]
        if moved:
            since = [[one.lane for one in moved], [seen.get(one.lane, 0) for one in moved]]
            await _hand_over(conn, ITEMS, since, take_items)
            await _hand_over(conn, PAIRS, since, take_pairs)
        return reached

    def _lane(self, topic: str, partition: int) -> int:
        return lane(logical(topic.removeprefix(self._prefix)), partition)


async def _hand_over(conn: Connection, table: ReadTable[Any], since: list[list[int]], take: Any) -> None:
    columns = ", ".join(f"t.{column}" for column in table.columns)
    query = (
        f"SELECT {columns} FROM unnest(%s::bigint[], %s::bigint[]) AS s(lane, seq) "  # noqa: S608 - declared names
        f"JOIN {table.name} t ON t.lane = s.lane AND t.seq > s.seq"
    )
    async with conn.cursor(name="changes") as cursor:
        await cursor.execute(query, since)
        while rows := await cursor.fetchmany(BATCH_ROWS):
            take([table.row_class._make(row) for row in rows])
