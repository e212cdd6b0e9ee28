"""How far behind a relay is, for monitoring."""

from __future__ import annotations

from eventfold.postgres.sessions import Connection
from eventfold.write.rows import AFTER

LOOK_EVERY_S = 5.0

_CURSOR = "SELECT cursor FROM lease WHERE name = %s"
_WAITING = f"""SELECT extract(epoch FROM clock_timestamp() - least(
  (SELECT recorded_at FROM events WHERE position = (SELECT min(position) FROM unsequenced)),
  ({AFTER.format("recorded_at")})))::float8"""


async def of_relay_s(conn: Connection, relay: str) -> float:
    """Seconds since the oldest event was recorded that Kafka has not acknowledged; 0 if there is none."""
    cursor = await (await conn.execute(_CURSOR, [relay])).fetchone()
    row = await (await conn.execute(_WAITING, {"after": cursor[0] if cursor else 0, "rows": 1})).fetchone()
    return float(row[0] or 0.0) if row else 0.0
