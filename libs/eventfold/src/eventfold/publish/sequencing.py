"""How visible events get their numbers: the lowest positions first. Only the leader can write them."""

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
"""An event with the columns of `TO_SEND`."""
POSITION, SEQ, PUBLIC_VALUE = 0, 1, 2

# One statement, because every round trip delays the events behind it. A relay that lost the lease finds no rows until
# its heartbeat notices the loss. The leader writes nothing if there is nothing to number.
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
"""Numbers the waiting events with the lowest positions, and returns them."""
AROUND = _SEQUENCE.format("""AND NOT EXISTS (
        SELECT 1 FROM events AS e WHERE e.position = unsequenced.position AND e.partition_key = ANY(%(around)s))""")
"""The same, without the events that must stay behind refused ones."""

_LOOK = """SELECT coalesce((SELECT min(position) FROM unsequenced), 0), coalesce((SELECT max(position) FROM events), 0),
  pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint FROM pg_current_snapshot() AS s"""


def arguments(
    lease: Lease, rows: int, size_bytes: int, floor: int = 0, around: Sequence[str] = ()
) -> dict[str, object]:
    """Arguments of `ALL` and `AROUND`: at most this many rows and bytes (the first row is always taken), above the
    position `floor`, without the keys in `around`."""
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
    """The position up to which no event waits to be numbered.

    Entries taken out of the queue stay in its index until no snapshot can see them. An old snapshot, such as a dump's,
    keeps hundreds of thousands of such entries, and each look would pass over all of them. It is safe to look only
    above the highest position noted once two sets of transactions have ended: those running when it was noted, and
    those running when that end was noticed, because a transaction has its position a moment before its id. An entry put
    back into the queue by hand lowers the floor again.
    """

    position: int = 0
    settling: int = 0
    noted: int = 0
    next_id: int = 0

    async def raise_over(self, conn: Connection) -> None:
        """Raise the floor as far as is safe. Costs one look over the whole queue."""
        lowest, highest, oldest_running, next_id = await (await conn.execute(_LOOK)).fetchone() or (0, 0, 0, 0)
        if oldest_running >= self.next_id:
            self.position, self.settling = self.settling, self.noted
            self.noted, self.next_id = highest, next_id
        if lowest:
            self.position = min(self.position, lowest - 1)
