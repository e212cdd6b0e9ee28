"""Closes the resources of a process at its end: in reverse order, each within a time limit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

CLOSE_S = 3.0

Close = Callable[[], Awaitable[object]]


class Closing:
    """Collects close functions. Users of the resources must have ended before `aclose`."""

    def __init__(self) -> None:
        self._closes: list[tuple[str, Close]] = []

    def add(self, name: str, close: Close) -> None:
        """Call `close` at the end; `name` identifies it in the log."""
        self._closes.append((name, close))

    async def aclose(self) -> None:
        """Close all, the last one first. A failure, or a close that takes longer than `CLOSE_S`, is logged and does not
        keep the others open."""
        while self._closes:
            name, close = self._closes.pop()
            try:
                async with asyncio.timeout(CLOSE_S):
                    await close()
            except Exception as failure:  # noqa: BLE001 - the process ends; who is left must still be closed
                log.warning("not closed", extra={"what": name, "reason": repr(failure)})
