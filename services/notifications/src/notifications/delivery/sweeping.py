"""Lets go of what is old, and of what nobody owns any longer, a bounded number of rows at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from eventfold import EventStore, Pool
from notifications.delivery.domain import KEPT_DAYS
from notifications.endpoint.domain import ENDPOINT, Endpoint
from notifications.telemetry import SWEPT

ROWS: Final = 500
PAUSE_S: Final = 1.0
EVERY_S: Final = 600.0
UNNAMED_AFTER: Final = timedelta(days=1)
"""A secret that no event names after so long was never told to anybody, or has ended."""

# One that is due ends by itself, a day after its first attempt; without it, those behind it would wait for ever.
_OLD: Final = """WITH old AS (
  DELETE FROM delivery WHERE (endpoint_id, number) IN (
    SELECT endpoint_id, number FROM delivery WHERE created_at < %s AND state <> 'due'
    ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED)
  RETURNING endpoint_id, number
), attempts AS (DELETE FROM attempt a USING old o WHERE a.endpoint_id = o.endpoint_id AND a.number = o.number)
SELECT count(*) FROM old"""
_OF_REMOVED: Final = """WITH gone AS (
  DELETE FROM delivery WHERE (endpoint_id, number) IN (
    SELECT d.endpoint_id, d.number FROM delivery d JOIN endpoint e USING (endpoint_id)
    WHERE e.state = 'removed' LIMIT %s)
  RETURNING endpoint_id, number
), attempts AS (DELETE FROM attempt a USING gone o WHERE a.endpoint_id = o.endpoint_id AND a.number = o.number)
SELECT count(*) FROM gone"""
_IDLE_REMOVED: Final = """DELETE FROM sending s USING endpoint e WHERE e.endpoint_id = s.endpoint_id
AND e.state = 'removed' AND NOT EXISTS (SELECT FROM delivery d WHERE d.endpoint_id = s.endpoint_id)"""
_SECRETS: Final = """SELECT endpoint_id, secret_id FROM endpoint_secret
WHERE created_at < %s AND (endpoint_id, secret_id) > (%s, %s) ORDER BY endpoint_id, secret_id LIMIT %s"""
_FORGET: Final = """DELETE FROM endpoint_secret s USING unnest(%s::text[], %s::text[]) AS k(endpoint_id, secret_id)
WHERE s.endpoint_id = k.endpoint_id AND s.secret_id = k.secret_id"""


class Sweeper:
    """Deletes old deliveries with their attempts, those of removed endpoints, and secrets that sign no longer."""

    def __init__(self, pool: Pool, store: EventStore, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        """Sweep until cancelled: at once, every ten minutes, and again as long as there is more."""
        while True:
            more = await self.sweep()
            await asyncio.sleep(PAUSE_S if more else EVERY_S)

    async def sweep(self) -> bool:
        """One round of each kind. Returns whether there is more of a kind."""
        old = await self._count(_OLD, [self._clock() - timedelta(days=KEPT_DAYS), ROWS])
        gone = await self._count(_OF_REMOVED, [ROWS])
        SWEPT.labels("delivery").inc(old + gone)
        async with self._pool.connection() as conn:
            await conn.execute(_IDLE_REMOVED)
        await self._sweep_secrets()
        return max(old, gone) == ROWS

    async def _count(self, query: str, values: Sequence[Any]) -> int:
        async with self._pool.connection() as conn:
            row = await (await conn.execute(query.encode(), values)).fetchone()
        return int(row[0]) if row else 0

    async def _sweep_secrets(self) -> None:
        """All secrets are looked at: there are few, at most two for each endpoint and what is younger than a day."""
        place = ("", "")
        while found := await self._secrets(place):
            place = found[-1]
            await self._forget_those_that_sign_no_longer(found)

    async def _forget_those_that_sign_no_longer(self, found: list[tuple[str, str]]) -> None:
        ids = sorted({endpoint_id for endpoint_id, _ in found})
        async with self._store.reading() as conn:
            states = await self._store.states(conn, [ENDPOINT.at(one) for one in ids])
        now = self._clock()
        signing = {one: _signing(states[ENDPOINT.stream(one)], now) for one in ids}
        if unnamed := [(endpoint_id, one) for endpoint_id, one in found if one not in signing[endpoint_id]]:
            await self._forget(unnamed)

    async def _secrets(self, after: tuple[str, str]) -> list[tuple[str, str]]:
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_SECRETS, [self._clock() - UNNAMED_AFTER, *after, ROWS])).fetchall()
        return [(row[0], row[1]) for row in rows]

    async def _forget(self, secrets: list[tuple[str, str]]) -> None:
        endpoints, ids = map(list, zip(*secrets, strict=True))
        async with self._pool.connection() as conn:
            await conn.execute(_FORGET, [endpoints, ids])
        SWEPT.labels("endpoint_secret").inc(len(secrets))


def _signing(state: Endpoint | None, now: datetime) -> tuple[str, ...]:
    return () if state is None or state.removed else state.signing(now)
