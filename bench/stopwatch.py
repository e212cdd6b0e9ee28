"""Measures a consumer from its first batch to its last."""

from __future__ import annotations

import json
import os
import time


class Stopwatch:
    """Times from the first batch to the last. When all events are done, prints events and seconds, of all and of the
    later half (whatever a runtime had to warm up was warm by then), with the process's own processor seconds, and exits
    the process."""

    def __init__(self, events: int) -> None:
        self._events, self._done, self._started = events, 0, 0.0
        self._half_done, self._half_at, self._started_cpu = 0, 0.0, 0.0

    def begin(self) -> None:
        """Start timing at the first batch; later calls change nothing."""
        if not self._started:
            self._started, self._started_cpu = time.perf_counter(), time.process_time()

    def add(self, count: int) -> None:
        """Count `count` more events as done."""
        self._done += count
        now = time.perf_counter()
        if not self._half_at and 2 * self._done >= self._events:
            self._half_done, self._half_at = self._done, now
        if self._done >= self._events:
            print(json.dumps(self._timed(now)), flush=True)
            os._exit(0)

    def _timed(self, now: float) -> dict[str, float]:
        return {
            "events": self._done,
            "seconds": now - self._started,
            "later_events": self._done - self._half_done,
            "later_seconds": now - self._half_at,
            "cpu_seconds": time.process_time() - self._started_cpu,
        }
