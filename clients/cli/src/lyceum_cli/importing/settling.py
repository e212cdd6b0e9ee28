"""Waits until every projection has applied what an import recorded: by its consistency tokens, not by time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from lyceum_cli.errors import BadAnswer, StillStale
from lyceum_cli.gateway import Gateway

DEADLINE_S: Final = 120.0
PATHS: Final = (
    "/v1/members/me",
    "/v1/contents?page_size=1",
    "/v1/ledger/trial-balance",
    "/v1/popular?limit=1",
    "/v1/metrics/overview",
)
"""One query of each service: it answers fresh when all projections of its service have passed the tokens."""


async def settle(
    gateway: Gateway, tokens: Sequence[str], deadline_s: float = DEADLINE_S, clock: Callable[[], float] = time.monotonic
) -> None:
    """Return when everything has been applied. Raises `StillStale` after `deadline_s`, `BadAnswer` where a service
    does not say."""
    if not tokens:
        return
    began = clock()
    fresh = await asyncio.gather(*(_fresh(gateway, path, tokens, began + deadline_s, clock) for path in PATHS))
    stale = [path for path, done in zip(PATHS, fresh, strict=True) if not done]
    if stale:
        raise StillStale(stale, clock() - began)


async def _fresh(
    gateway: Gateway, path: str, tokens: Sequence[str], give_up_at: float, clock: Callable[[], float]
) -> bool:
    """Each answer comes fresh, or stale after the server itself has waited, so there is no need to pause."""
    while True:
        answer = await gateway.get(path, after=tokens)
        if answer.stale is None:
            raise BadAnswer(path, "it does not say whether it is fresh (x-lyceum-stale)")
        if not answer.stale or clock() >= give_up_at:
            return not answer.stale
