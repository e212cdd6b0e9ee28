"""A ceiling for each member: who calls faster than it is refused, and nobody else notices."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from eventfold.errors import EventfoldError

MEMBERS_REMEMBERED = 50_000
"""The least recent beyond these is forgotten, and begins anew with a full allowance."""
BURST_S = 5.0
"""How many seconds' worth of calls may come at once."""


class TooManyCalls(EventfoldError):
    """A member calls faster than the ceiling. Nothing was begun. Ask again after `retry_after_s` whole seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("too many calls in a short time")
        self.retry_after_s = retry_after_s


class MemberCeiling:
    """An allowance for each member, refilled by `calls_per_s` up to `BURST_S` seconds' worth (a token bucket). In the
    memory of one process: with several replicas a member has as many allowances."""

    def __init__(self, calls_per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls_per_s = calls_per_s
        self._most = max(1.0, calls_per_s * BURST_S)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, member_id: str) -> None:
        """Count a call of a member. Raises `TooManyCalls`."""
        now = self._clock()
        left, since = self._left.pop(member_id, (self._most, now))
        left = min(self._most, left + (now - since) * self._calls_per_s)
        self._left[member_id] = (left - 1, now) if left >= 1 else (left, now)
        if len(self._left) > MEMBERS_REMEMBERED:
            self._left.popitem(last=False)
        if left < 1:
            raise TooManyCalls(math.ceil((1 - left) / self._calls_per_s))
