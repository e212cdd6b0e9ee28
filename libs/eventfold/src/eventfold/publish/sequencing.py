"""How visible events get their numbers: the lowest positions first, as the leader or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eventfold.postgres.sessions import Connection
from eventfold.publish import lease as leases
from eventfold.publish.lease import Lease
from eventfold.publish.outgoing import TO_SEND
from eventfold.write.rows import LAST_SEQ

StoredRow = tuple[Any, ...]
"""An event in the order of `TO_SEND`."""
POSITION, SEQ, PUBLIC_VALUE = 0, 1, 2

# In one statement, for every round trip delays what waits behind it. Whoever lost the lease finds nothing to do until
# its heartbeat tells it; the leader writes nothing when there is nothing.
_SEQUENCE = f"""WITH held AS ({leases.HOLD}
  AND (SELECT min(position) FROM unsequenced WHERE position > %(floor)s) IS NOT NULL RETURNING 1
), taken AS (
  DELETE FROM unsequenced WHERE position = ANY (ARRAY(
    SELECT position FROM (
      SELECT position, sum(octet_length(public_value)) OVER (ORDER BY position) AS bytes,
        row_number() OVER (ORDER BY position) AS n
      FROM (SELECT position FROM unsequenced
        WHERE position > %(floor)s AND EXISTS (SELECT 1 FROM held) {{}} ORDER BY position LIMIT %(rows)s
      ) AS waiting JOIN events USING (position)
    ) AS sized WHERE n = 1 OR coalesce(bytes, 0) <= %(bytes)s
  )) RETURNING position
), last AS (SELECT {LAST_SEQ} AS seq
), noted AS (
  INSERT INTO sequence_run (first_seq, first_position, length)
  SELECT last.seq + min(n), min(position), count(*)
  FROM last, (SELECT position, row_number() OVER (ORDER BY position) AS n FROM taken) AS numbered
  GROUP BY last.seq, position - n
) SELECT {TO_SEND} FROM (
  SELECT events.*, last.seq + row_number() OVER (ORDER BY position) AS seq
  FROM last, events WHERE position = ANY (ARRAY(SELECT position FROM taken))
) AS sequenced"""
ALL = _SEQUENCE.format("")
"""Numbers the lowest that wait, and returns them."""
AROUND = _SEQUENCE.format("""AND NOT EXISTS (
        SELECT 1 FROM events AS e WHERE e.position = unsequenced.position AND e.partition_key = ANY(%(around)s))""")
"""The same, but for what must stand behind refused events."""

_LOOK = """SELECT coalesce((SELECT min(position) FROM unsequenced), 0), coalesce((SELECT max(position) FROM events), 0),
  pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint FROM pg_current_snapshot() AS s"""


def arguments(
    lease: Lease, rows: int, size_bytes: int, floor: int = 0, around: Sequence[str] = ()
) -> dict[str, object]:
    """Of `ALL` and `AROUND`: at most so many rows and bytes, the first whatever it takes, above the position `floor`,
    around the keys that wait."""
    return {
        "name": lease.name,
        "epoch": lease.epoch,
        "lease_s": leases.LEASE_S,
        "rows": rows,
        "bytes": size_bytes,
        "floor": floor,
        "around": list(around),
    }


@dataclass(slots=True)
class Floor:
    """Below which position nothing waits to be numbered.

    What was taken out of the queue stays in its index until no snapshot may see it, and an old snapshot, such as a
    dump's, keeps hundreds of thousands of such entries there: each look would pass over all of them. It is safe to look
    above the highest position that was noted once all transactions that were under way then have ended, and those under
    way when that was noticed: one has its position a moment before it has an id. What is put back into the queue by
    hand lowers the floor again.
    """

    position: int = 0
    settling: int = 0
    noted: int = 0
    next_id: int = 0

    async def raise_over(self, conn: Connection) -> None:
        """Move it as far as is safe. Costs one look over the whole queue."""
        lowest, highest, oldest_running, next_id = await (await conn.execute(_LOOK)).fetchone() or (0, 0, 0, 0)
        if oldest_running >= self.next_id:
            self.position, self.settling = self.settling, self.noted
            self.noted, self.next_id = highest, next_id
        if lowest:
            self.position = min(self.position, lowest - 1)
