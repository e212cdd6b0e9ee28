"""From what happened to deliveries: who is told of it, in the order in which it was folded.

The fold writes what happened and knows no endpoints, so that it does not depend on how topics interleave. Here, under
the sender's lease, what was folded since the last pass becomes deliveries: read in one snapshot, inserted some hundred
at a time. The mark of the pass is kept at its end. A pass that dies is repeated, and what it had told already is known
by (endpoint, event).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from eventfold import Connection
from eventfold.publish import lease as leases
from eventfold.publish.lease import Lease
from eventfold.reading.following import Mark, changed, continued, look
from notifications.delivery.domain import UNTOLD_DAYS
from notifications.delivery.projections import HAPPENED_TABLE
from notifications.delivery.rows import Ready, add
from notifications.telemetry import TOLD

EVENTS_AT_ONCE: Final = 200
_NAME: Final = "telling"

_READ_MARK: Final = "SELECT snapshot, copy FROM telling WHERE name = %s"
_KEEP_MARK: Final = """INSERT INTO telling (name, snapshot, copy) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET snapshot = EXCLUDED.snapshot, copy = EXCLUDED.copy"""
_ALL: Final = "SELECT event_id FROM happened WHERE recorded_at > %(since)s"
_SINCE: Final = """ AND changed_in >= pg_snapshot_xmin(%(snapshot)s::pg_snapshot)
AND NOT pg_visible_in_snapshot(changed_in, %(snapshot)s::pg_snapshot)"""
_IN_ORDER: Final = " ORDER BY seq, event_id"
# An endpoint is told of what happened since it was registered. Everybody's events are told to who is an admin now, not
# to who once was.
_MATCHES: Final = """SELECT e.endpoint_id, h.event_id, h.type, h.aggregate, h.occurred_at, h.body
FROM happened h JOIN endpoint e ON e.types ? h.type AND e.state <> 'removed' AND e.registered_at <= h.recorded_at
  AND ((e.scope = 'own' AND e.member_id = h.concerns) OR (e.scope = 'all' AND EXISTS (
    SELECT FROM member_role r WHERE r.member_id = e.member_id AND r.role = 'admin')))
WHERE h.event_id = ANY(%s) ORDER BY h.seq, h.event_id, e.endpoint_id"""


@dataclass
class Teller:
    """Makes deliveries. `connect` opens connections in autocommit mode; `clock` gives UTC."""

    connect: Callable[[], Awaitable[Connection]]
    clock: Callable[[], datetime]
    _reading: Connection | None = None

    async def close(self) -> None:
        """Close the connection that reads. The next pass opens another."""
        reading, self._reading = self._reading, None
        if reading:
            await reading.close()

    async def tell(self, conn: Connection, lease: Lease) -> int:
        """One pass over what was folded since the last one. Returns how many deliveries were made ready. Raises
        `LeaseLost`."""
        row = await (await conn.execute(_READ_MARK, [_NAME])).fetchone()
        last, made = Mark(*row) if row else None, 0
        self._reading = reading = self._reading or await self.connect()
        async with reading.transaction():
            now = await look(reading, [HAPPENED_TABLE])
            since = continued(last, now)
            if since and not await changed(reading, [HAPPENED_TABLE], since):
                return 0
            given = {"since": self.clock() - timedelta(days=UNTOLD_DAYS), "snapshot": since.snapshot if since else ""}
            async with reading.cursor(name="happened") as cursor:
                await cursor.execute(_ALL + (_SINCE if since else "") + _IN_ORDER, given)
                while rows := await cursor.fetchmany(EVENTS_AT_ONCE):
                    made += await self._told(conn, lease, [row[0] for row in rows])
        async with conn.transaction():
            await leases.hold(conn, lease)
            await conn.execute(_KEEP_MARK, [_NAME, *now])
        return made

    async def _told(self, conn: Connection, lease: Lease, event_ids: Sequence[str]) -> int:
        async with conn.transaction():
            await leases.hold(conn, lease)
            rows = await (await conn.execute(_MATCHES, [[*event_ids]])).fetchall()
            fresh = await add(conn, [Ready._make(row) for row in rows], self.clock())
        for one in fresh:
            TOLD.labels(one.type).inc()
        return len(fresh)
