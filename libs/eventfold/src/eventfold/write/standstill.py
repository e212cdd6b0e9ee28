"""Streams whose writers somebody's open transaction keeps waiting: they wait in this process, not over connections.

A lock is waited for over a connection, of which there are few. So no statement of the store waits for one longer than
`LOCK_WAIT_MS`; its streams then count as standing still, and their commands try one at a time, all of them together
over at most `PROBES` connections, until one gets through. Where nothing stands still this costs the look at an empty
dictionary.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from psycopg.errors import LockNotAvailable

from eventfold.errors import Blocked, VersionConflict

if TYPE_CHECKING:
    from eventfold.postgres.sessions import Connection

LOCK_WAIT_MS = 100
"""How long one statement of the store waits for a lock, in milliseconds."""
PROBES = 2
"""Connections that commands of streams which stand still take at once."""
REMEMBERED_S = 5.0
"""A stream that nobody found standing still for so long is taken for one that moves."""

_LIMIT = f"SET lock_timeout = {LOCK_WAIT_MS}"


class Standstill:
    """Knows which streams stand still, and gives their commands turns. One for each store."""

    def __init__(self) -> None:
        self._turns: dict[str, asyncio.Lock] = {}
        self._until: dict[str, float] = {}
        self._probes = asyncio.Semaphore(PROBES)
        self._limited: weakref.WeakSet[Connection] = weakref.WeakSet()

    async def ready(self, conn: Connection, streams: Iterable[str]) -> None:
        """Bound how long statements of this connection wait for locks: one round trip, the first time it is seen.
        Raises `Blocked` where one of `streams` came to stand still while the connection was waited for."""
        if self._until and (held := [stream for stream in streams if stream in self._until]):
            raise Blocked(tuple(sorted(held)))
        if conn not in self._limited:
            await conn.execute(_LIMIT)
            self._limited.add(conn)

    def turn(self, streams: Iterable[str]) -> contextlib.AbstractAsyncContextManager[bool]:
        """One command at a time of each of `streams` that stands still, `PROBES` of all. A try that ends other than
        by `Blocked` or a failure shows that they move again. Tells whether any of them stood still."""
        return self._turn(streams) if self._until else contextlib.nullcontext(False)

    @contextlib.asynccontextmanager
    async def _turn(self, streams: Iterable[str]) -> AsyncIterator[bool]:
        self._forget()
        mine = sorted({stream for stream in streams if stream in self._until})
        async with contextlib.AsyncExitStack() as held:
            for stream in mine:
                await held.enter_async_context(self._turns.setdefault(stream, asyncio.Lock()))
            if mine:
                await held.enter_async_context(self._probes)
            try:
                yield bool(mine)
            except Blocked:
                raise
            except VersionConflict:
                self._move(mine)
                raise
            self._move(mine)

    def note(self, blocked: Blocked) -> None:
        """These streams stand still from here on."""
        for stream in blocked.streams:
            self._until.pop(stream, None)
            self._until[stream] = time.monotonic() + REMEMBERED_S

    def _forget(self) -> None:
        now = time.monotonic()
        self._move([stream for stream, until in self._until.items() if until < now])

    def _move(self, streams: Iterable[str]) -> None:
        for stream in streams:
            self._until.pop(stream, None)
            self._turns.pop(stream, None)


class waiting_for:  # noqa: N801 - used as a statement, and on every append: a generator costs three times as much
    """Turns a lock that was waited for in vain into `Blocked`; `streams` are looked at only then."""

    __slots__ = ("_streams",)

    def __init__(self, streams: Iterable[str]) -> None:
        self._streams = streams

    def __enter__(self) -> None:
        """Nothing to be done."""

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        if isinstance(failure, LockNotAvailable):
            raise Blocked(tuple(sorted(set(self._streams)))) from failure
