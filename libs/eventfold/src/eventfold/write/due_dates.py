"""Due dates as rows: written with the events that set them, taken by one worker at a time, removed with their effect.

A row is taken by moving it to its next look before anything is done. So if the worker dies on the way, the row is
looked at again. The result of a look counts only while the row is as it was taken: this check, the removal of the row
and the effect are in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from eventfold.measured.arrays import literals
from eventfold.vocabulary.decider import Ask, DueDate, Recorded
from eventfold.write.rows import NUMBER

if TYPE_CHECKING:
    from eventfold.postgres.sessions import Connection

_SET = """INSERT INTO due_date (stream_type, stream_id, due_at, version, set_at, correlation_id)
SELECT * FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::int[], %s::timestamptz[], %s::text[])
ON CONFLICT (stream_type, stream_id) DO UPDATE
SET due_at = EXCLUDED.due_at, attempts = 0, version = EXCLUDED.version, set_at = EXCLUDED.set_at,
    correlation_id = EXCLUDED.correlation_id"""

_CANCEL = """DELETE FROM due_date d USING unnest(%s::text[], %s::text[]) AS w(stream_type, stream_id)
WHERE (d.stream_type, d.stream_id) = (w.stream_type, w.stream_id)"""

# A locked row is being moved: the next look will see it.
_DUE = """SELECT stream_type, stream_id, due_at, attempts, version, set_at, correlation_id FROM due_date
WHERE due_at <= %s AND stream_type = ANY(%s) ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED"""

_POSTPONE = """UPDATE due_date d SET due_at = w.due_at, attempts = w.attempts
FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::int[]) AS w(stream_type, stream_id, due_at, attempts)
WHERE (d.stream_type, d.stream_id) = (w.stream_type, w.stream_id)"""

_TAKEN = """unnest(%s::text[], %s::text[], %s::timestamptz[], %s::int[]) AS w(stream_type, stream_id, due_at, attempts)
  USING (stream_type, stream_id, due_at, attempts)"""

_STANDING = f"""SELECT stream_type, stream_id FROM due_date d JOIN {_TAKEN}
ORDER BY stream_type, stream_id FOR UPDATE OF d"""

_CAUSES = """SELECT stream, meta->>'traceparent' FROM events
JOIN unnest(%s::text[], %s::int[]) AS w(stream, version) USING (stream, version) WHERE meta ? 'traceparent'"""

# An event without a number will get a number of the present history.
_SALTS = f"""SELECT stream, nonce FROM events JOIN unnest(%s::text[], %s::int[]) AS w(stream, version)
  USING (stream, version) LEFT JOIN {NUMBER} ON position < above,
LATERAL (SELECT nonce FROM history WHERE number > 1 AND first_seq <= coalesce(seq, first_seq)
  ORDER BY number DESC LIMIT 1) AS of_it"""

_SETTLE = f"""DELETE FROM due_date WHERE (stream_type, stream_id) IN (
  SELECT stream_type, stream_id FROM due_date JOIN {_TAKEN})"""

# Locked in key order, as `write` locks them.
_BOUND = """WITH away AS (
  SELECT d.stream_type, d.stream_id, w.pause FROM due_date d
  JOIN unnest(%(types)s::text[], %(attempts)s::int[], %(pauses)s::interval[]) AS w(stream_type, attempts, pause)
    ON w.stream_type = d.stream_type AND w.attempts = least(d.attempts, %(most)s)
  WHERE d.due_at > %(now)s ORDER BY d.stream_type, d.stream_id FOR UPDATE OF d
) UPDATE due_date d SET set_at = least(set_at, %(now)s), due_at = CASE
    WHEN attempts > 0 THEN least(due_at - %(back)s, %(now)s + pause)
    ELSE due_at - greatest(set_at - %(now)s, interval '0') END
FROM away WHERE (d.stream_type, d.stream_id) = (away.stream_type, away.stream_id)
  AND (set_at > %(now)s OR attempts > 0 AND (%(back)s > interval '0' OR due_at > %(now)s + pause))"""

Key = tuple[str, str]
"""Stream type and stream id."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A due date that was taken. It was due at `was_due_at`, and is looked at next at `due_at` unless it is settled.

    `attempt` counts the looks since the event of `version` set it, at `set_at`.
    """

    stream_type: str
    stream_id: str
    due_at: datetime
    attempt: int
    was_due_at: datetime
    version: int
    set_at: datetime
    correlation_id: str

    @property
    def key(self) -> Key:
        """The identity of the stream."""
        return self.stream_type, self.stream_id


Change = tuple[DueDate, Recorded]
Longest = Mapping[str, Sequence[timedelta]]
"""For each stream type, the longest pauses after 0, 1, … looks. All have the same length, and the last pause counts for
all later looks. The entry for 0 is not used: there the event set the date."""


def changes(events: Sequence[Recorded], asks: Mapping[str, Ask]) -> dict[Key, Change]:
    """How the events change the due dates of their streams, each with the event that does it. The last event of a
    stream counts."""
    found: dict[Key, Change] = {}
    for event in events:
        ask = asks[event.stream]
        if ask.stream_type.due and (date := ask.stream_type.due(event)):
            found[ask.stream_type.name, ask.stream_id] = (date, event)
    return found


async def write(conn: Connection, changed: Mapping[Key, Change]) -> None:
    """Set, move and cancel dates, in key order, in the caller's transaction."""
    ordered = sorted(changed.items(), key=lambda one: one[0])
    dates = [
        (*key, date.at, event.version, event.recorded_at, event.meta.get("correlation_id", ""))
        for key, (date, event) in ordered
        if date.at is not None
    ]
    cancelled = [key for key, (date, _) in ordered if date.at is None]
    if dates:
        await conn.execute(_SET, literals(("text", "text", "timestamptz", "int", "timestamptz", "text"), dates))
    if cancelled:
        await conn.execute(_CANCEL, literals(("text", "text"), cancelled))


async def take(
    conn: Connection, stream_types: Sequence[str], now: datetime, limit: int, next_look: Callable[[str, int], datetime]
) -> list[Taken]:
    """At most `limit` dates that are due at `now`, longest due first, each moved to `next_look(stream type, attempt)`.

    In the caller's transaction; only the lease holder takes dates.
    """
    rows = await (await conn.execute(_DUE, [now, list(stream_types), limit])).fetchall()
    taken = [
        Taken(
            stream_type=kind,
            stream_id=stream_id,
            due_at=next_look(kind, attempts + 1),
            attempt=attempts + 1,
            was_due_at=due_at,
            version=version,
            set_at=set_at,
            correlation_id=correlation_id,
        )
        for kind, stream_id, due_at, attempts, version, set_at, correlation_id in rows
    ]
    if taken:
        await conn.execute(_POSTPONE, _marks(taken))
    return taken


async def bound(conn: Connection, longest: Longest, now: datetime, back: timedelta) -> int:
    """Bring dates nearer that were set too far ahead by a clock which was ahead of `now`. Returns how many these were.

    `back` is the time by which the clock is known to have gone back since the pauses between looks were set; they are
    shortened by it. After that, counted from now, no pause is longer than `longest` says for its attempt, and no date
    that an event set lies further ahead than the event asked for. Looks at every date in the future. In the caller's
    transaction; only the lease holder calls it, while no date is taken.
    """
    rows = [(name, attempt, pause) for name, pauses in longest.items() for attempt, pause in enumerate(pauses)]
    most = max(map(len, longest.values()), default=1) - 1
    names, attempts, pauses = map(list, zip(*rows, strict=True)) if rows else ([], [], [])
    told = {"types": names, "attempts": attempts, "pauses": pauses, "most": most, "now": now, "back": back}
    return (await conn.execute(_BOUND, told)).rowcount


async def causes(conn: Connection, versions: Sequence[tuple[str, int]]) -> dict[str, str]:
    """The `traceparent` of the event that set each date, by stream, if it has one. `versions` hold stream and version.
    It is in the event's meta, so the rows need not repeat it."""
    rows = await (await conn.execute(_CAUSES, literals(("text", "int"), versions))).fetchall() if versions else []
    return dict(rows)


async def salts(conn: Connection, versions: Sequence[tuple[str, int]]) -> dict[str, str]:
    """The salt of the id of the event that set each date, by stream, if it has one: see `eventfold.publish.history`."""
    rows = await (await conn.execute(_SALTS, literals(("text", "int"), versions))).fetchall() if versions else []
    return dict(rows)


async def standing(conn: Connection, taken: Sequence[Taken]) -> list[Taken]:
    """The dates that nobody has moved, cancelled or taken since, locked until the caller's transaction ends."""
    found = set(await (await conn.execute(_STANDING, _marks(taken))).fetchall()) if taken else set()
    return [one for one in taken if one.key in found]


async def settle(conn: Connection, taken: Sequence[Taken]) -> None:
    """Remove the dates that still are as they were taken. A date that was set in this transaction stays."""
    if taken:
        await conn.execute(_SETTLE, _marks(taken))


def _marks(taken: Sequence[Taken]) -> list[str]:
    rows = [(*one.key, one.due_at, one.attempt) for one in taken]
    return literals(("text", "text", "timestamptz", "int"), rows)
