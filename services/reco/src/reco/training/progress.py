"""How far, how fast, how long still: one line on stderr every few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

EVERY_S = 5.0


class Progress:
    """Counts what is done of one thing. `clock` is in seconds and never goes back."""

    def __init__(self, what: str, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._total, self._clock = what, total, clock
        self._done = 0
        self._began = self._shown = clock()

    def add(self, count: int) -> None:
        """So many more are done; shows it if the last line is old enough, or all are done."""
        self._done += count
        now = self._clock()
        if now - self._shown >= EVERY_S or (count and self._done == self._total):
            self._shown = now
            sys.stderr.write(self.line(now - self._began) + "\n")

    def line(self, passed_s: float) -> str:
        """What is shown, `passed_s` seconds after the beginning."""
        rate = self._done / passed_s if passed_s > 0 else 0.0
        left = f", {(self._total - self._done) / rate:,.0f} s left" if rate > 0 else ""
        return f"{self._what}: {self._done:,}/{self._total:,}, {rate:,.1f}/s{left}"
