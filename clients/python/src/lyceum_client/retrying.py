"""When a call is sent again, and after how long."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import httpx

from lyceum_client.calling import Repeats
from lyceum_client.errors import Refused, ResourceExhausted, Unauthenticated

MAX_ATTEMPTS: Final = 6
FIRST_PAUSE_S: Final = 0.1
MAX_PAUSE_S: Final = 3.0
_PASSING: Final = frozenset({429, 502, 503, 504})
_CONTENTION: Final = frozenset({"CONTENTION"})
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Chance = Callable[[], float]
"""From 0 (included) to 1 (not included)."""


def pause_s(attempt: int, retry_after_s: float | None, chance: Chance = random.random) -> float:
    """Seconds before the attempt after `attempt` (1 is the first): doubled each time up to `MAX_PAUSE_S`, of which a
    random half to all, so that many clients do not come back at once; never before `retry_after_s`."""
    backoff_s = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (attempt - 1)) * (0.5 + chance() / 2)
    return max(backoff_s, (retry_after_s or 0.0) * (1 + chance() / 10))


def may_follow_failure(repeats: Repeats, failure: Exception) -> bool:
    """Whether a call whose answer did not come may be sent again: always, if it was never sent."""
    return repeats is not Repeats.NEVER or isinstance(failure, _NOT_SENT)


def may_follow_refusal(repeats: Repeats, status: int, refusal: Refused) -> bool:
    """Whether a refused call may be sent again with hope. A limit of requests refuses before anything begins."""
    if isinstance(refusal, ResourceExhausted):
        return refusal.retry_after_s is not None
    if repeats is Repeats.NEVER or isinstance(refusal, Unauthenticated):
        return False
    return status in _PASSING or refusal.reason in _CONTENTION
