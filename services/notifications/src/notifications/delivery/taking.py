"""Taking what is due: a bounded number of deliveries is moved to its next look, and only then sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from eventfold import Connection
from notifications.delivery.domain import AT_ONCE
from notifications.delivery.rows import Taken, next_looks

Lane = Literal["fast", "new", "slow"]
"""Endpoints that answered at once the last time, those that have never been asked, and those that fail or dawdle. Each
lane has places of its own, so that strangers and the dead take none of the others'."""
LANES: Final[tuple[Lane, ...]] = ("fast", "new", "slow")
TAKEN_AGAIN_AFTER: Final = timedelta(seconds=30)
"""When a delivery comes back whose sender died: longer than any request, and than the lease."""

_ENDPOINTS: Final = """SELECT endpoint_id, failing_since IS NOT NULL FROM sending
WHERE lane = %s AND next_due_at <= %s AND NOT endpoint_id = ANY(%s)
ORDER BY next_due_at LIMIT %s FOR UPDATE SKIP LOCKED"""
_TAKE: Final = """UPDATE delivery d SET due_at = %(again)s, taken = nextval('delivery_taken')
FROM unnest(%(ids)s::text[], %(limits)s::int[]) AS l(endpoint_id, at_most)
CROSS JOIN LATERAL (
  SELECT number FROM delivery o WHERE o.endpoint_id = l.endpoint_id AND o.state = 'due' AND o.due_at <= %(now)s
  ORDER BY o.due_at, o.number LIMIT l.at_most
) o
WHERE d.endpoint_id = l.endpoint_id AND d.number = o.number
RETURNING d.endpoint_id, d.number, d.event_id, d.type, d.aggregate, d.body, d.tries, d.attempts, d.first_at, d.taken"""


async def take(conn: Connection, lane: Lane, now: datetime, places: int, under_way: Mapping[str, int]) -> list[Taken]:
    """At most `places` due deliveries of a lane, in the caller's transaction. `under_way` counts the requests to each
    endpoint: it gets `AT_ONCE` of them, and one while it fails."""
    if places <= 0:
        return []
    full = [endpoint_id for endpoint_id, count in under_way.items() if count >= AT_ONCE]
    looked_at = places + len(under_way)  # a failing one with its one request under way is passed over
    found = await (await conn.execute(_ENDPOINTS, [lane, now, full, looked_at])).fetchall()
    if not found:
        return []
    ids, limits = [row[0] for row in found], []
    for endpoint_id, failing in found:
        left = (1 if failing else AT_ONCE) - under_way.get(endpoint_id, 0)
        limits.append(max(0, min(left, places)))
        places -= limits[-1]
    given = {"ids": ids, "limits": limits, "now": now, "again": now + TAKEN_AGAIN_AFTER}
    taken = sorted(Taken._make(row) for row in await (await conn.execute(_TAKE, given)).fetchall())
    await next_looks(conn, ids)
    return taken
