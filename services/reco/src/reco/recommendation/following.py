"""Follows the read tables in the background, so that answers are live and queries need not wait."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prometheus_client import Gauge
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from eventfold import Connection, Pool, ReadTable
from eventfold.reading.following import BATCH_ROWS, Mark, changed, continued, hand_over, look
from reco.model.model import Model
from reco.model.state import StateRefused
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.live_factors import LiveFactors, Look, Reached
from reco.recommendation.projections import (
    ENTITLEMENTS,
    FOLLOWED,
    IMPRESSIONS,
    ITEMS,
    MARKS,
    PAIRS,
    PREFERENCES,
    PRODUCTS,
    PairRow,
)
from reco.recommendation.queries import PAIRS_SELECTED
from reco.recommendation.states import States, TrainedElsewhere
from reco.training.factors import FactorsRefused

log = logging.getLogger(__name__)

HELD = Gauge("lyceum_reco_pairs", "Pairs of member and content in the matrix.")
LEFT_OUT = Gauge("lyceum_reco_left_out", "Pairs and items beyond the matrix's bounds: raise the bounds when above 0.")

_POSITIONS: Final = (
    "SELECT projection, topic, partition, seq, applied_at FROM fold_position WHERE projection = ANY(%s) AND NOT closed "
    "ORDER BY projection, topic, partition"
)
_MARKED: Final = (
    PAIRS_SELECTED + "JOIN unnest(%s::text[], %s::text[]) AS m (member_id, content_id) USING (member_id, content_id)"
)
_LENGTHENED: Final = PAIRS_SELECTED + "WHERE content_id = ANY(%s) AND watched_ms > 0"
TAKE_UP_EVERY_S: Final = 10.0
"""How often a server looks for what was learned or trained: it changes every half minute at most."""
# Pairs come last: what they say depends on the others.
TABLES: Final[Sequence[ReadTable[Any]]] = (ITEMS, MARKS, PREFERENCES, PRODUCTS, ENTITLEMENTS, PAIRS)
LEARNED_FROM: Final[Sequence[ReadTable[Any]]] = (IMPRESSIONS, *TABLES)
"""What the process that learns follows."""


async def follow(factors: LiveFactors, states: States, trained: TrainedElsewhere, every_s: float) -> None:
    """Refresh every `every_s` seconds until cancelled, and take up what was learned meanwhile. If the database is
    unreachable for a while, it is tried again; any other failure ends the process."""
    next_take_up_s = 0.0
    while True:
        try:
            await factors.refresh()
            if time.monotonic() >= next_take_up_s:
                await _take_up(states, trained, factors.copy.model)
                next_take_up_s = time.monotonic() + TAKE_UP_EVERY_S
        except (OperationalError, PoolTimeout) as failure:
            log.warning("factors not refreshed", extra={"reason": type(failure).__name__})
        await _tend(factors.copy.model)
        HELD.set(factors.copy.pairs.size)
        LEFT_OUT.set(factors.copy.pairs.left_out)
        await asyncio.sleep(every_s)


async def _tend(model: Model) -> None:
    """Do the model's long work in another thread, so that answers need not wait for it."""
    for job in model.due():
        adopt = await asyncio.to_thread(job)
        adopt()


async def _take_up(states: States, trained: TrainedElsewhere, model: Model) -> None:
    try:
        await states.load(model)
        await trained.load(model)
    except (StateRefused, FactorsRefused) as refusal:
        log.warning("what was learned does not fit this build", extra={"reason": str(refusal)})


class PostgresFactTables:
    """Reads positions and changed rows in one snapshot, so that the rows contain everything up to the positions."""

    def __init__(self, pool: Pool, tables: Sequence[ReadTable[Any]] = TABLES) -> None:
        self._pool, self._tables = pool, tables

    async def read_changes(self, last: Mark | None, copy: Copy) -> Look:
        """See `FactTables`."""
        async with self._pool.connection() as conn, conn.transaction():
            now = await look(conn, self._tables)
            since = continued(last, now)
            taking = copy if since else copy.emptied()
            for table in await changed(conn, self._tables, since):
                await hand_over(conn, table, since, taking.takers[table.name])
            again = taking.again()
            if since is not None:
                members, contents = [one[0] for one in again.marked], [one[1] for one in again.marked]
                await _take_again(conn, taking, _MARKED, members, contents)
                await _take_again(conn, taking, _LENGTHENED, [*again.contents])
            return Look(now, await _reached(conn), taking)


async def _take_again(conn: Connection, copy: Copy, query: str, *keys: list[str]) -> None:
    if not keys[0]:
        return
    async with conn.cursor(name="again") as cursor:
        await cursor.execute(query, keys)
        while rows := await cursor.fetchmany(BATCH_ROWS):
            copy.take_pairs([PairRow._make(row) for row in rows])


async def _reached(conn: Connection) -> Mapping[str, Sequence[Reached]]:
    rows = await (await conn.execute(_POSITIONS, [[one.name for one in FOLLOWED]])).fetchall()
    found: dict[str, list[Reached]] = {}
    for projection, *position in rows:
        found.setdefault(projection, []).append(Reached(*position))
    return found
