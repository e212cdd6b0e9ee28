"""When a delivery is tried again, and when it is given up. Time and chance are passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

State = Literal["due", "waiting", "delivered", "failed"]
"""`waiting` deliveries stand behind an older one of their aggregate."""
Outcome = Literal["delivered", "refused", "unreachable", "gone"]

PAUSES: Final = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400))
"""Before the second attempt, the third, and so on; the last one repeats."""
GIVEN_UP_AFTER: Final = timedelta(hours=24)
"""Since the first attempt. The last attempt is made when this has passed."""
SHORTENED_BY_UP_TO: Final = 0.2
"""Each pause, at random: many that failed together are not tried together."""
MAX_RETRY_AFTER: Final = timedelta(hours=4)
SILENT_AFTER: Final = timedelta(days=5)
"""An endpoint where nothing has arrived for so long is disabled when the next delivery is given up."""
DOWN_AFTER: Final = timedelta(minutes=10)
"""An endpoint that took nothing for so long was down; one that refused something a moment ago may have refused only
that."""
AT_ONCE: Final = 4
"""Requests to one endpoint."""
SLOW_AFTER_MS: Final = 1_000
"""An endpoint that takes longer to answer waits in the lane of the slow ones."""
KEPT_DAYS: Final = 30
"""Of deliveries and their attempts."""
UNTOLD_DAYS: Final = 7
"""How long what happened is kept for telling. Shorter than `KEPT_DAYS`: what is told a second time, after a rebuild, is
always known by its delivery."""
GONE: Final = 410
Uniform = Callable[[], float]
"""A number from 0 to 1, at random."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request. `status` is 0 where no answer came; `said` is how the answer begins, or why there is
    none."""

    status: int
    took_ms: int
    said: str
    retry_after: timedelta | None = None

    @property
    def outcome(self) -> Outcome:
        """2xx alone is delivered: a redirect is an answer like any other."""
        if 200 <= self.status < 300:
            return "delivered"
        if self.status == GONE:
            return "gone"
        return "refused" if self.status else "unreachable"


def retry_at(tries: int, first_at: datetime, now: datetime, uniform: Uniform) -> datetime | None:
    """When to try again after `tries` attempts, the first of them at `first_at`; None: give it up.

    The last attempt stands at the end of the 24 hours, so that a receiver that is down for less gets everything.
    """
    end = first_at + GIVEN_UP_AFTER
    if now >= end:
        return None
    pause = PAUSES[min(max(tries, 1), len(PAUSES)) - 1]
    return min(now + pause * (1 - SHORTENED_BY_UP_TO * uniform()), end)


def not_before(answer: Answer, now: datetime) -> datetime | None:
    """Until when the receiver asked to be left alone, at most `MAX_RETRY_AFTER`; None if it did not."""
    if answer.retry_after is None or answer.outcome == "delivered":
        return None
    return now + max(timedelta(0), min(answer.retry_after, MAX_RETRY_AFTER))
