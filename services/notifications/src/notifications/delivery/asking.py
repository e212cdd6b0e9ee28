"""What an owner asks for: sending again, and a test."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final, NamedTuple

from eventfold import Pool
from eventfold.errors import NotFound
from notifications.delivery.projections import body_of
from notifications.delivery.rows import Ready, add, locked, settle
from notifications.event_types import TEST

AGAIN_AT_ONCE: Final = 1_000
_TESTS: Final = uuid.UUID("0d9c5f0e-6a51-5c0b-9a64-4a1f0b7c2a6e")

# As new: it has 24 hours again. One that is under way, or still to come, is left as it is.
_AGAIN: Final = """UPDATE delivery SET state = 'waiting', due_at = %(now)s, first_at = NULL, tries = 0, taken = NULL
WHERE endpoint_id = %(endpoint)s AND number IN (
  SELECT number FROM delivery WHERE endpoint_id = %(endpoint)s AND {which} ORDER BY number LIMIT %(limit)s
) RETURNING aggregate"""
_ONE: Final = _AGAIN.format(which="event_id = %(event)s AND state IN ('failed', 'delivered')")
_FAILED: Final = _AGAIN.format(which="state = 'failed' AND type <> %(test)s AND occurred_at >= %(since)s")
_KNOWN: Final = "SELECT 1 FROM delivery WHERE endpoint_id = %s AND event_id = %s"
_MORE: Final = """SELECT EXISTS (SELECT FROM delivery WHERE endpoint_id = %s AND state = 'failed' AND type <> %s
AND occurred_at >= %s)"""


class Again(NamedTuple):
    """How many deliveries are due again, and whether more failed."""

    redelivered: int
    more: bool


class Asking:
    """Changes deliveries on behalf of their owner."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def one_again(self, endpoint_id: str, event_id: str, now: datetime) -> Again:
        """Send one again, whatever became of it; nothing changes while it is still to be sent. Raises `NotFound`."""
        given = {"endpoint": endpoint_id, "event": event_id, "now": now, "limit": 1}
        async with self._pool.connection() as conn, conn.transaction():
            await locked(conn, [endpoint_id])
            if await (await conn.execute(_KNOWN, [endpoint_id, event_id])).fetchone() is None:
                raise NotFound("there is no such delivery", field="delivery_id")
            rows = await (await conn.execute(_ONE, given)).fetchall()
            await settle(conn, [(endpoint_id, row[0]) for row in rows], now)
        return Again(len(rows), more=False)

    async def failed_again(self, endpoint_id: str, since: datetime, now: datetime) -> Again:
        """Send again what happened at or after `since` and failed, the oldest first, at most `AGAIN_AT_ONCE`."""
        given = {"endpoint": endpoint_id, "since": since, "test": TEST, "now": now, "limit": AGAIN_AT_ONCE}
        async with self._pool.connection() as conn, conn.transaction():
            await locked(conn, [endpoint_id])
            rows = await (await conn.execute(_FAILED, given)).fetchall()
            await settle(conn, [(endpoint_id, row[0]) for row in rows], now)
            more = await (await conn.execute(_MORE, [endpoint_id, TEST, since])).fetchone()
        return Again(len(rows), more=bool(more and more[0]))

    async def test(self, endpoint_id: str, key: str | None, now: datetime) -> str:
        """Make a test delivery due, and return its id. A repeated `key` is the same test."""
        event_id = str(uuid.uuid5(_TESTS, f"{endpoint_id}/{key}") if key else uuid.uuid4())
        body = body_of(event_id, TEST, now, {"endpoint_id": endpoint_id})
        ready = Ready(endpoint_id, event_id, TEST, f"test-{event_id}", now, body)
        async with self._pool.connection() as conn, conn.transaction():
            await add(conn, [ready], now)
        return event_id
