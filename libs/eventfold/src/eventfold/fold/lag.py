"""How far behind a fold worker is, for those who watch it."""

from __future__ import annotations

import logging
from typing import Any

from eventfold import telemetry
from eventfold.fold.runner import FoldRunner

log = logging.getLogger(__name__)


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
