"""The calls in flight: so many and so many bytes at once, each until its caller's deadline, all of them before the
server ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from eventfold.errors import DeadlineExceeded, EventfoldError

END_S = 1.0
MAX_CALLS = 5000
MAX_BYTES = 64 * 1024 * 1024
"""Of the requests that are being served, whatever they wait for; decoded they take a few times that."""


class Overloaded(EventfoldError):
    """This server has as much in its hands as it takes. It has not begun with the call: asking again is safe."""

    def __init__(self) -> None:
        super().__init__("the server is overloaded")


class Stopping(EventfoldError):
    """This server is being stopped. `taken` says whether it had begun with the call: if not, asking again is safe."""

    def __init__(self, *, taken: bool) -> None:
        super().__init__("the server is being stopped")
        self.taken = taken


class InFlight:
    """Counts and bounds the calls of one server."""

    def __init__(self, max_calls: int = MAX_CALLS, max_bytes: int = MAX_BYTES) -> None:
        self._max_calls, self._max_bytes = max_calls, max_bytes
        self._bytes = 0
        self._limits: set[asyncio.Timeout] = set()
        self._refusing = False
        self._ended = False
        self._none = asyncio.Event()

    @contextlib.asynccontextmanager
    async def call(self, deadline_s: float, size_bytes: int = 0) -> AsyncIterator[None]:
        """Bound a call, in seconds, whose request has so many bytes. Raises `DeadlineExceeded` when they are over,
        `Stopping` when the server is, and `Overloaded` where there are too many already."""
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
        """Refuse calls from here on and wait for those in flight; what is not done `within_s` is ended, within
        `END_S`. Returns when each has its answer."""
        self._refusing = True
        if not self._limits:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._none.wait(), within_s)
        self._ended = True
        for limit in list(self._limits):
            limit.reschedule(asyncio.get_running_loop().time())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._none.wait(), END_S)
