"""Streams whose writers are blocked by another open transaction: their commands wait in this process, not on
connections.

Waiting for a lock occupies a connection, and there are few connections. So no statement of the store waits for a lock
longer than `LOCK_WAIT_MS`. After that its streams count as standing still. Their commands then try one at a time per
stream, over at most `PROBES` connections in total, until one succeeds. If no stream stands still, this costs only a
look at an empty dictionary.
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
"""Number of connections that commands of blocked streams may use at once."""
REMEMBERED_S = 5.0
"""A stream that nobody has found standing still for this long counts as moving again."""

_LIMIT = f"SET lock_timeout = {LOCK_WAIT_MS}"


class Standstill:
    """Knows which streams stand still, and gives their commands turns. One instance for each store."""

    def __init__(self) -> None:
        self._turns: dict[str, asyncio.Lock] = {}
        self._until: dict[str, float] = {}
        self._probes = asyncio.Semaphore(PROBES)
        self._limited: weakref.WeakSet[Connection] = weakref.WeakSet()

    async def ready(self, conn: Connection, streams: Iterable[str]) -> None:
        """Limit how long statements of this connection wait for locks: one round trip, the first time the connection is
        used. Raises `Blocked` if one of `streams` came to stand still during the wait for the connection."""
        if self._until and (held := [stream for stream in streams if stream in self._until]):
            raise Blocked(tuple(sorted(held)))
        if conn not in self._limited:
            await conn.execute(_LIMIT)
            self._limited.add(conn)

    def turn(self, streams: Iterable[str]) -> contextlib.AbstractAsyncContextManager[bool]:
        """A turn: one command at a time for each of `streams` that stands still, and `PROBES` commands in total. A try
        that ends without `Blocked` or another failure shows that the streams move again. Yields whether any of them
        stood still."""
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
        """Mark these streams as standing still."""
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
    """Turns a lock timeout into `Blocked`. `streams` are evaluated only then."""

    __slots__ = ("_streams",)

    def __init__(self, streams: Iterable[str]) -> None:
        self._streams = streams

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        if isinstance(failure, LockNotAvailable):
            raise Blocked(tuple(sorted(set(self._streams)))) from failure
