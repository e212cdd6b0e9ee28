"""How far behind a relay and a fold worker are, for those who watch them."""

from __future__ import annotations

import logging
from typing import Any

from eventfold import telemetry
from eventfold.fold import FoldRunner
from eventfold.rows import AFTER
from eventfold.store import Connection

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0

_CURSOR = "SELECT cursor FROM lease WHERE name = %s"
_WAITING = f"""SELECT extract(epoch FROM clock_timestamp() - least(
  (SELECT recorded_at FROM events WHERE position = (SELECT min(position) FROM unsequenced)),
  ({AFTER.format("recorded_at")})))::float8"""


async def of_relay_s(conn: Connection, relay: str) -> float:
    """Seconds since the oldest event was recorded that Kafka has not acknowledged; 0 where there is none."""
    cursor = await (await conn.execute(_CURSOR, [relay])).fetchone()
    row = await (await conn.execute(_WAITING, {"after": cursor[0] if cursor else 0, "rows": 1})).fetchone()
    return float(row[0] or 0.0) if row else 0.0


class FoldLag:
    """The records that a worker's handlers have yet to apply, as a metric of the partitions that it has now.

    Asks Kafka where they end and the database where the handlers stand, so that it grows for one that is stuck too.
    """

    def __init__(self, runner: FoldRunner) -> None:
        self._runner = runner
        self._shown: set[tuple[str, str, str]] = set()

    async def look(self, consumer: Any) -> None:
        """Set the metric. `consumer` is Faust's. A failure is logged: who watches must not stop what is watched."""
        try:
            assigned = consumer.assignment()
            ends = await consumer.highwaters(*assigned) if assigned else {}
            places = {(tp.topic, tp.partition): end or 0 for tp, end in ends.items()}
            behind = await self._runner.behind(places) if places else {}
        except Exception as failure:  # noqa: BLE001 - the next look may tell more
            log.warning("cannot tell how far behind the folds are", extra={"reason": repr(failure)})
            return
        shown = {(name, topic, str(partition)): count for (name, topic, partition), count in behind.items()}
        for gone in self._shown - set(shown):
            telemetry.FOLD_LAG.remove(*gone)
        for labels, count in shown.items():
            telemetry.FOLD_LAG.labels(*labels).set(count)
        self._shown = set(shown)
