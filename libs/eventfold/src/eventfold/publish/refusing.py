"""Events that the broker refuses: they are named, set aside with the events that must stay behind them, and retried.

A refused event loses its number, because readers rely on all lower numbers lying before a number that they find. It
goes back into the queue, together with the later numbered events of its key. No event of this key is numbered until the
event is retried, after growing pauses. Everything else goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from eventfold import telemetry
from eventfold.measured.ids import event_id_text
from eventfold.postgres.sessions import Connection
from eventfold.publish.history import Histories, of_seq

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5, 600

_NUMBERED = """SELECT first_seq, first_position, length FROM sequence_run
WHERE first_seq + length > %s ORDER BY first_seq"""
_OF_KEY = """SELECT position FROM events WHERE position = ANY(%s::bigint[]) AND partition_key =
  (SELECT partition_key FROM events WHERE position = %s) ORDER BY position"""
_PLACE = "SELECT stream, version FROM events WHERE position = %s"
_SET_ASIDE = """INSERT INTO refused AS r (position, partition_key, event_id, reason, refused_at, attempts, next_try_at)
SELECT position, partition_key, %(id)s, %(reason)s, clock_timestamp(), 1,
  clock_timestamp() + make_interval(secs => %(first)s)
FROM events WHERE position = %(position)s ON CONFLICT (position) DO UPDATE
SET reason = EXCLUDED.reason, attempts = r.attempts + 1, event_id = EXCLUDED.event_id,
    next_try_at = clock_timestamp() + make_interval(secs => least(%(longest)s, %(first)s * 2.0 ^ least(r.attempts, 20)))
RETURNING attempts, partition_key"""
_HELD = "SELECT partition_key FROM refused WHERE next_try_at > clock_timestamp()"
_TAKEN = "DELETE FROM refused WHERE position = ANY(%s::bigint[])"


async def held_keys(conn: Connection) -> list[str]:
    """The keys whose events are not numbered now."""
    return sorted({key for (key,) in await (await conn.execute(_HELD)).fetchall()})


async def any_there(conn: Connection) -> bool:
    """Whether some event is refused, whether it is held or being retried now."""
    await count(conn)
    return await (await conn.execute("SELECT 1 FROM refused LIMIT 1")).fetchone() is not None


async def taken(conn: Connection, positions: Collection[int]) -> None:
    """These events were sent: remove them from the refused ones."""
    if (await conn.execute(_TAKEN, [list(positions)])).rowcount:
        await count(conn)


async def set_aside(conn: Connection, histories: Histories, seq: int, reason: str) -> None:
    """Take the numbers from a refused event and from the later numbered events of its key. Call it as the leader, in
    the caller's transaction."""
    await conn.execute("LOCK TABLE sequence_run IN SHARE ROW EXCLUSIVE MODE")
    runs = await (await conn.execute(_NUMBERED, [seq])).fetchall()
    numbers = {first + n: position + n for first, position, length in runs for n in range(length) if first + n >= seq}
    behind = [p for (p,) in await (await conn.execute(_OF_KEY, [list(numbers.values()), numbers[seq]])).fetchall()]
    gone = {number for number, position in numbers.items() if position in set(behind)}
    for first, position, length in runs:
        await _cut(conn, first, position, length, gone)
    await conn.execute("INSERT INTO void_seq SELECT * FROM unnest(%s::bigint[])", [sorted(gone)])
    await conn.execute("INSERT INTO unsequenced SELECT * FROM unnest(%s::bigint[]) ON CONFLICT DO NOTHING", [behind])
    await _tell(conn, histories, numbers[seq], seq, reason)


async def _cut(conn: Connection, first: int, position: int, length: int, gone: set[int]) -> None:
    """Rewrite a run without some of its numbers."""
    staying = [n for n in range(length) if first + n not in gone]
    if len(staying) == length:
        return
    await conn.execute("DELETE FROM sequence_run WHERE first_seq = %s", [first])
    begins = [n for n in staying if n - 1 not in set(staying)]
    for n in begins:
        end = next(m for m in range(n, length + 1) if m not in set(staying))
        await conn.execute("INSERT INTO sequence_run VALUES (%s, %s, %s)", [first + n, position + n, end - n])


async def _tell(conn: Connection, histories: Histories, position: int, seq: int, reason: str) -> None:
    row = await (await conn.execute(_PLACE, [position])).fetchone()
    stream, version = row or ("", 0)
    event_id = event_id_text(stream, version, of_seq(histories, seq).salt)
    named = {"id": event_id, "reason": reason, "position": position, "first": FIRST_PAUSE_S, "longest": LONGEST_PAUSE_S}
    done = await (await conn.execute(_SET_ASIDE, named)).fetchone()
    log.error(
        "the broker refuses event %s (%s version %d) for good: %s; it and what comes after it under its key wait, and "
        "are tried again: see docs/runbooks/refused-events.md",
        event_id,
        stream,
        version,
        reason,
        extra={"event_id": event_id, "reason": reason, "attempts": done[0] if done else 1},
    )
    await count(conn)


async def count(conn: Connection) -> None:
    """Set the metric to the stored count."""
    row = await (await conn.execute("SELECT count(*) FROM refused")).fetchone()
    telemetry.RELAY_REFUSED.set(row[0] if row else 0)
