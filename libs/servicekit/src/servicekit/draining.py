"""The calls in flight: each ends at its caller's deadline, and all of them before the server does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from eventfold.errors import DeadlineExceeded, EventfoldError

END_S = 1.0


class Stopping(EventfoldError):
    """This server is being stopped. `taken` says whether it had begun with the call: if not, asking again is safe."""

    def __init__(self, *, taken: bool) -> None:
        super().__init__("the server is being stopped")
        self.taken = taken


class InFlight:
    """Counts and bounds the calls of one server."""

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()
        self._refusing = False
        self._ended = False
        self._none = asyncio.Event()

    @contextlib.asynccontextmanager
    async def call(self, deadline_s: float) -> AsyncIterator[None]:
        """Bound a call, in seconds. Raises `DeadlineExceeded` when they are over, `Stopping` when the server is."""
        if self._refusing:
            raise Stopping(taken=False)
        limit = asyncio.timeout(deadline_s)
        try:
            async with limit:
                self._limits.add(limit)
                try:
                    yield
                finally:
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
