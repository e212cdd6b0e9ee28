"""How long work has waited at a place without any of it being done: what tells a stuck worker from a slow one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

Place = tuple[str, str, int]
"""A handler, and a partition that its worker has: topic and number."""


class At(NamedTuple):
    """Where a handler stands on a partition: the next offset that it reads, and the number of records from there on."""

    next_offset: int
    behind: int


class Progress:
    """For how long work has been seen waiting without a move. Written by the worker's loop, read from any thread.

    Work that moves is not stuck, however much waits. Time in which nobody can tell (the database or Kafka is away) does
    not count: a restart would not bring them back. But a look that never ends does count: what it asks hangs.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._still: Mapping[Place, tuple[int, float]] = {}
        """The next offset of each place where records wait, and for how long it was seen not to move."""
        self._seen_at: float | None = None
        self._looking_since: float | None = None

    def looking(self) -> None:
        """A look begins; `seen` or `unknown` must follow."""
        self._looking_since = self._clock()

    def seen(self, places: Mapping[Place, At]) -> None:
        """What a look has found: the places of this worker, without those that stand still on purpose."""
        now, before = self._clock(), self._still
        passed_s = 0.0 if self._seen_at is None else now - self._seen_at
        waiting = {place: at.next_offset for place, at in places.items() if at.behind}
        self._still = {
            place: (offset, before[place][1] + passed_s if before.get(place, (-1,))[0] == offset else 0.0)
            for place, offset in waiting.items()
        }
        self._seen_at, self._looking_since = now, None

    def unknown(self) -> None:
        """A look has failed."""
        self._seen_at = self._looking_since = None

    def stuck_s(self) -> float:
        """For how many seconds the work that waits longest has not moved; 0 if all moves, or none waits."""
        looking = self._looking_since
        looking_s = 0.0 if looking is None else self._clock() - looking
        return max((still_s for _, still_s in self._still.values()), default=0.0) + looking_s
