"""Waiting for what follows by itself, as an entitlement follows a paid order: no token stands for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lyceum_client.errors import NotYet

PAUSE_S = 0.1
T = TypeVar("T")


async def until(ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool], deadline_s: float = 30.0) -> T:
    """The first answer that holds, asked for every 0.1 s. Raises `NotYet` after `deadline_s`, and what `ask` raises."""
    try:
        async with asyncio.timeout(deadline_s):
            while not holds(found := await ask()):  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(PAUSE_S)
    except TimeoutError as late:
        raise NotYet(deadline_s) from late
    return found
