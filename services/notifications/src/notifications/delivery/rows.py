"""What the tables of deliveries hold, and the statements that move a delivery from one state to the next.

`sending` has a row for each endpoint: whoever changes deliveries of an endpoint locks it first, so that numbers,
order and `next_due_at` hold. Of one aggregate at most one delivery is `due`, the oldest that has not arrived; those
behind it are `waiting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from eventfold import Connection


class Ready(NamedTuple):
    """What is to be told to one endpoint."""

    endpoint_id: str
    event_id: str
    type: str
    aggregate: str
    occurred_at: datetime
    body: str


class Taken(NamedTuple):
    """A delivery that was taken to be sent. `token` names this taking; `tries` counts attempts since it was made ready,
    or asked for again, `attempts` all of them."""

    endpoint_id: str
    number: int
    event_id: str
    type: str
    aggregate: str
    body: str
    tries: int
    attempts: int
    first_at: datetime | None
    token: int


_ENSURE: Final = "INSERT INTO sending (endpoint_id) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"
_LOCK: Final = (
    "SELECT endpoint_id, next_number FROM sending WHERE endpoint_id = ANY(%s) ORDER BY endpoint_id FOR UPDATE"
)
_KNOWN: Final = """SELECT endpoint_id, event_id FROM delivery d
JOIN unnest(%s::text[], %s::text[]) AS k(endpoint_id, event_id) USING (endpoint_id, event_id)"""
_INSERT: Final = """INSERT INTO delivery
(endpoint_id, number, event_id, type, aggregate, occurred_at, body, created_at, state, due_at)
SELECT *, %s::timestamptz, 'waiting', %s::timestamptz FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[],
%s::text[], %s::timestamptz[], %s::text[])"""
_NUMBERED: Final = """UPDATE sending s SET next_number = t.next_number
FROM unnest(%s::text[], %s::bigint[]) AS t(endpoint_id, next_number) WHERE s.endpoint_id = t.endpoint_id"""
_PROMOTE: Final = """UPDATE delivery d SET state = 'due', due_at = %(now)s, taken = NULL FROM (
  SELECT DISTINCT ON (w.endpoint_id, w.aggregate) w.endpoint_id, w.number
  FROM delivery w JOIN unnest(%(endpoints)s::text[], %(aggregates)s::text[]) AS k(endpoint_id, aggregate)
    USING (endpoint_id, aggregate)
  WHERE w.state = 'waiting' AND NOT EXISTS (SELECT FROM delivery o
    WHERE o.endpoint_id = w.endpoint_id AND o.aggregate = w.aggregate AND o.state = 'due')
  ORDER BY w.endpoint_id, w.aggregate, w.number
) h WHERE d.endpoint_id = h.endpoint_id AND d.number = h.number"""
# `greatest` leaves out NULL: without the first condition, an endpoint with nothing due would be due at `not_before`.
_NEXT_DUE: Final = """UPDATE sending s
SET next_due_at = CASE WHEN n.at IS NULL THEN NULL ELSE greatest(n.at, not_before) END
FROM unnest(%s::text[]) AS k(endpoint_id)
CROSS JOIN LATERAL (SELECT min(due_at) AS at FROM delivery d WHERE d.endpoint_id = k.endpoint_id AND d.state = 'due') n
WHERE s.endpoint_id = k.endpoint_id"""


async def locked(conn: Connection, endpoint_ids: Iterable[str]) -> dict[str, int]:
    """Lock these endpoints' rows, made if they are not there, until the caller commits. Returns each next number."""
    wanted = sorted(set(endpoint_ids))
    await conn.execute(_ENSURE, [wanted])
    return {row[0]: row[1] for row in await (await conn.execute(_LOCK, [wanted])).fetchall()}


async def add(conn: Connection, ready: Sequence[Ready], now: datetime) -> list[Ready]:
    """Insert deliveries in their order, in the caller's transaction; those that are there already are left out.
    Returns the others."""
    if not ready:
        return []
    numbers = await locked(conn, [one.endpoint_id for one in ready])
    found = await conn.execute(_KNOWN, [[one.endpoint_id for one in ready], [one.event_id for one in ready]])
    known = {(row[0], row[1]) for row in await found.fetchall()}
    fresh = [one for one in ready if (one.endpoint_id, one.event_id) not in known]
    if not fresh:
        return []
    numbered = []
    for one in fresh:
        numbered.append((one.endpoint_id, numbers[one.endpoint_id], *one[1:]))
        numbers[one.endpoint_id] += 1
    await conn.execute(_INSERT, [now, now, *map(list, zip(*numbered, strict=True))])
    await conn.execute(_NUMBERED, [list(numbers), list(numbers.values())])
    await settle(conn, [(one.endpoint_id, one.aggregate) for one in fresh], now)
    return fresh


async def settle(conn: Connection, places: Sequence[tuple[str, str]], now: datetime) -> None:
    """After changes of these (endpoint, aggregate): let the oldest waiting one be due where none is, and say when each
    endpoint is to be looked at next. The endpoints are locked."""
    if not places:
        return
    endpoints, aggregates = map(list, zip(*dict.fromkeys(places), strict=True))
    await conn.execute(_PROMOTE, {"now": now, "endpoints": endpoints, "aggregates": aggregates})
    await next_looks(conn, endpoints)


async def next_looks(conn: Connection, endpoint_ids: Sequence[str]) -> None:
    """Say when each of these endpoints is to be looked at next. They are locked."""
    await conn.execute(_NEXT_DUE, [sorted(set(endpoint_ids))])
