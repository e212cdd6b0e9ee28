"""The calls in flight: limited in number and bytes, each ended at its caller's deadline, all finished before the server
ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from eventfold.errors import DeadlineExceeded, EventfoldError

END_S = 1.0
MAX_CALLS = 5000
MAX_BYTES = 64 * 1024 * 1024
"""Limit for all requests being served, whatever they wait for. Decoded, they take a few times that."""


class Overloaded(EventfoldError):
    """This server has as much work as it accepts. It has not begun the call, so asking again is safe."""

    def __init__(self) -> None:
        super().__init__("the server is overloaded")


class Stopping(EventfoldError):
    """This server is being stopped. `taken` says whether it had begun the call; if not, asking again is safe."""

    def __init__(self, *, taken: bool) -> None:
        super().__init__("the server is being stopped")
        self.taken = taken


class InFlight:
    """Counts and limits the calls of one server."""

    def __init__(self, max_calls: int = MAX_CALLS, max_bytes: int = MAX_BYTES) -> None:
        self._max_calls, self._max_bytes = max_calls, max_bytes
        self._bytes = 0
        self._limits: set[asyncio.Timeout] = set()
        self._refusing = False
        self._ended = False
        self._none = asyncio.Event()

    @contextlib.asynccontextmanager
    async def call(self, deadline_s: float, size_bytes: int = 0) -> AsyncIterator[None]:
        """Limit a call to `deadline_s`; its request has `size_bytes`. Raises `DeadlineExceeded` when the time is over,
        `Stopping` when the server is being stopped, and `Overloaded` if there are too many calls or bytes already."""
        if self._refusing:
            raise Stopping(taken=False)
        if len(self._limits) >= self._max_calls or self._bytes + size_bytes > self._max_bytes:
            raise Overloaded
        limit = asyncio.timeout(deadline_s)
        try:
            async with limit:
                self._limits.add(limit)
                self._bytes += size_bytes
                try:
                    yield
                finally:
                    self._bytes -= size_bytes
                    self._finished(limit)
        except TimeoutError as timeout:
            if not limit.expired():
                raise
            raise (Stopping(taken=True) if self._ended else DeadlineExceeded("a call")) from timeout

    def _finished(self, limit: asyncio.Timeout) -> None:
        self._limits.discard(limit)
        if self._refusing and not self._limits:
            self._none.set()

    async def drain(self, within_s: float) -> None:
        """From here on, refuse calls, and wait for those in flight. Calls not finished `within_s` are ended, within
        `END_S`. Returns when each call has its answer."""
        self._refusing = True
        if not self._limits:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._none.wait()
        self._ended = True
        for limit in list(self._limits):
            limit.reschedule(asyncio.get_running_loop().time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await self._none.wait()
