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


class Buckets:
    """Allowances by key (token buckets): each is refilled by `per_s` up to `burst`. The least recent beyond
    `remembered` keys are forgotten, and begin anew with a full allowance."""

    def __init__(self, burst: float, per_s: float, remembered: int) -> None:
        self._burst = burst
        self._per_s = per_s
        self._remembered = remembered
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._left)

    def missing_s(self, key: str, now: float) -> float:
        """Take one of the key's allowance at `now` seconds, and return 0; or take nothing, and return the seconds until
        there is one."""
        left, since = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_s)
        self._left[key] = (left - 1, now) if left >= 1 else (left, now)
        if len(self._left) > self._remembered:
            self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self._per_s


class MemberCeiling:
    """An allowance for each member, refilled by `calls_per_s` up to `BURST_S` seconds' worth. In the memory of one
    process: with several replicas a member has as many allowances."""

    def __init__(self, calls_per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.members = Buckets(max(1.0, calls_per_s * BURST_S), calls_per_s, MEMBERS_REMEMBERED)

    def take(self, member_id: str) -> None:
        """Count a call of a member. Raises `TooManyCalls`."""
        if wait_s := self.members.missing_s(member_id, self._clock()):
            raise TooManyCalls(math.ceil(wait_s))
