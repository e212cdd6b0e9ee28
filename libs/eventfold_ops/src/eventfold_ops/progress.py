"""One line on standard error with the progress of a long command: how far, how fast, and the time left."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

LINE_EVERY_S = 1.0


@dataclass
class Progress:
    """Counts the progress towards `total`. Writes a line at most every `LINE_EVERY_S`. Never blocks for long."""

    what: str
    done: int = 0
    total: int = 0
    _started: float = field(default_factory=time.monotonic)
    _counted: int = 0
    _written_at: float = 0.0

    def add(self, count: int) -> None:
        """`count` more are done."""
        self.done += count
        self._counted += count
        if time.monotonic() - self._written_at >= LINE_EVERY_S:
            self.write()

    def write(self) -> None:
        """Write the line now."""
        self._written_at = time.monotonic()
        print(self.line(self._written_at - self._started), file=sys.stderr, flush=True)  # noqa: T201

    def line(self, elapsed_s: float) -> str:
        """`rebuild counting: 1,200 of 4,000 (30%), 400/s, 7 s left`."""
        rate = self._counted / elapsed_s if elapsed_s > 0 else 0.0
        share = 100 * self.done // self.total if self.total else 100
        left = f"{max(0, self.total - self.done) / rate:.0f} s left" if rate else "time left unknown"
        return f"{self.what}: {self.done:,} of {self.total:,} ({share}%), {rate:,.0f}/s, {left}"
