"""Leadership as a row: holder, epoch, and expiry by the database's clock. A holder that loses it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eventfold.errors import LeaseLost
from eventfold.measured.arrays import literals
from eventfold.postgres.sessions import Connection

LEASE_S = 3.0

_ACQUIRE = """INSERT INTO lease AS l (name, holder, epoch, expires_at)
VALUES (%(name)s, %(holder)s, 1, clock_timestamp() + make_interval(secs => %(lease_s)s))
ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, epoch = l.epoch + 1, expires_at = EXCLUDED.expires_at
WHERE l.expires_at NOT BETWEEN clock_timestamp() AND clock_timestamp() + make_interval(secs => %(lease_s)s)
RETURNING epoch, cursor"""
"""A lease that would last longer than any lease can was taken before the database's clock was set back; it counts as
free."""

_HELD = """SELECT 1 FROM lease
WHERE name = %s AND expires_at BETWEEN clock_timestamp() AND clock_timestamp() + make_interval(secs => %s)"""

HOLD = """UPDATE lease SET expires_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE name = %(name)s AND epoch = %(epoch)s AND expires_at >= clock_timestamp()"""

# Only the leader writes heads: otherwise the head of an older generation could reappear.
_MOVE = """WITH moved AS (
  UPDATE lease SET cursor = greatest(cursor, %s) WHERE name = %s AND epoch = %s RETURNING 1
), heads AS (
  INSERT INTO relay_head (topic, partition, seq)
  SELECT h.* FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS h, moved
  ON CONFLICT (topic, partition) DO UPDATE SET seq = greatest(relay_head.seq, EXCLUDED.seq)
) SELECT count(*) FROM moved"""

Head = tuple[str, int, int]
"""Topic, partition and the highest acknowledged `seq` there."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A term of leadership: valid as long as the row carries `epoch` and has not expired."""

    name: str
    epoch: int
    cursor: int


async def acquire(conn: Connection, name: str, holder: str, lease_s: float = LEASE_S) -> Lease | None:
    """Take the lease if it is free or expired; None while another holds it. The caller commits."""
    cursor = await conn.execute(_ACQUIRE, {"name": name, "holder": holder, "lease_s": lease_s})
    row = await cursor.fetchone()
    return None if row is None else Lease(name, row[0], row[1])


async def is_free(conn: Connection, name: str) -> bool:
    """Whether nobody holds the lease now."""
    held = await conn.execute(_HELD, [name, LEASE_S])
    return await held.fetchone() is None


async def hold(conn: Connection, lease: Lease, lease_s: float = LEASE_S) -> None:
    """Renew the lease and lock its row until the caller commits. So all other writes of the transaction are made as the
    leader, or not at all. Raises `LeaseLost`."""
    cursor = await conn.execute(HOLD, {"name": lease.name, "epoch": lease.epoch, "lease_s": lease_s})
    if cursor.rowcount != 1:
        raise LeaseLost(lease.name, lease.epoch)


async def move_cursor(conn: Connection, lease: Lease, to_seq: int, heads: Sequence[Head] = ()) -> None:
    """Record that everything up to `to_seq` is acknowledged, with the heads of the partitions: a compare-and-set on the
    epoch, in one statement. The cursor never goes back. Raises `LeaseLost`."""
    columns = literals(("text", "int", "bigint"), heads)
    cursor = await conn.execute(_MOVE, [to_seq, lease.name, lease.epoch, *columns])
    if await cursor.fetchone() != (1,):
        raise LeaseLost(lease.name, lease.epoch)


async def release(conn: Connection, lease: Lease) -> None:
    """Let the lease expire at once, so that a successor need not wait. Harmless if the lease was already lost."""
    await conn.execute(
        "UPDATE lease SET expires_at = clock_timestamp() - interval '1 second' WHERE name = %s AND epoch = %s",
        [lease.name, lease.epoch],
    )


async def depose(conn: Connection, name: str) -> None:
    """End the present term: its holder gets `LeaseLost` and drops its work, and the next to ask may lead."""
    await conn.execute(
        "UPDATE lease SET epoch = epoch + 1, expires_at = clock_timestamp() - interval '1 second' WHERE name = %s",
        [name],
    )
