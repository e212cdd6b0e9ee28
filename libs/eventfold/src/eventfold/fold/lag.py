"""How far behind a fold worker is, for those who watch it."""

from __future__ import annotations

import logging
from typing import Any

from eventfold import telemetry
from eventfold.fold.progress import At, Progress
from eventfold.fold.runner import FoldRunner

log = logging.getLogger(__name__)


class FoldLag:
    """The number of records that the handlers of a worker have yet to apply, as a metric per partition that it has now.

    Asks Kafka for the ends of the partitions and the database for the positions of the handlers. So the metric also
    grows for a handler that is stuck, and `progress` is told what moves.
    """

    def __init__(self, runner: FoldRunner, progress: Progress | None = None) -> None:
        self._runner = runner
        self._progress = progress or Progress()
        self._shown: set[tuple[str, str, str]] = set()

    async def look(self, consumer: Any) -> None:
        """Set the metric. `consumer` is Faust's. A failure is only logged: monitoring must not stop the worker."""
        self._progress.looking()
        try:
            assigned = consumer.assignment()
            ends = await consumer.highwaters(*assigned) if assigned else {}
            places = {(tp.topic, tp.partition): end or 0 for tp, end in ends.items()}
            behind = await self._runner.behind(places) if places else {}
        except Exception as failure:  # noqa: BLE001 - the next look may tell more
            self._progress.unknown()
            log.warning("cannot tell how far behind the folds are", extra={"reason": repr(failure)})
            return
        still = self._runner.standing_still
        self._progress.seen(
            {
                (name, topic, partition): At(places[topic, partition] - count, count)
                for (name, topic, partition), count in behind.items()
                if name not in still
            }
        )
        shown = {(name, topic, str(partition)): count for (name, topic, partition), count in behind.items()}
        for gone in self._shown - set(shown):
            telemetry.FOLD_LAG.remove(*gone)
        for labels, count in shown.items():
            telemetry.FOLD_LAG.labels(*labels).set(count)
        self._shown = set(shown)
