"""Connections of a service to its own database: limited in number, in time, and in the share of one caller."""

from __future__ import annotations

import asyncio
import contextlib
import select
import time
import weakref
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from eventfold import Connection, Pool
from eventfold.postgres import sessions
from servicekit.call import MAX_DEADLINE_S, present_call

WAIT_FOR_CONNECTION_S = 5.0
MAX_WAITING = 5000
"""Number of callers that may wait for a connection of one pool; more are refused."""
# The cost for solid-state disks. PostgreSQL's default is for rotating disks: with it, a statement that is prepared
# while its table is small reads the whole table each time, until the next ANALYZE finds that it has grown.
_PLANNING = {"random_page_cost": "1.1"}
# For a client that vanished: PostgreSQL checks the connection even while a statement runs, and ends its open
# transaction in seconds.
VANISHED_S = 10
_VANISHING = {
    "client_connection_check_interval": "1s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": f"{VANISHED_S}s",
}
_SERVING = {
    "idle_in_transaction_session_timeout": f"{VANISHED_S}s",
    "statement_timeout": f"{MAX_DEADLINE_S:.0f}s",
}
_FOLDING = {"idle_in_transaction_session_timeout": "30s"}  # a fold computes within its transaction
_READING = {"default_transaction_read_only": "on"}
# The same for a database that vanished, set at the client's end of the connection.
_LINK: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": VANISHED_S * 1000,
}


class ServicePool(AsyncConnectionPool[Connection]):
    """A pool that never hands out a connection that the server has closed (after a restart, for example). It opens
    others instead.

    psycopg's own `check` would pause longer and longer between dead connections, of which there may be many. A named
    caller gets at most half of the pool: its further calls wait for one of its own connections.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._shares: weakref.WeakValueDictionary[str, asyncio.Semaphore] = weakref.WeakValueDictionary()
        self._lent: dict[Connection, asyncio.Semaphore] = {}  # connections that count for a caller's share

    async def getconn(self, timeout: float | None = None) -> Connection:  # noqa: ASYNC109 - the pool's signature
        """An open connection. Raises PoolTimeout."""
        give_up_at = time.monotonic() + (self.timeout if timeout is None else timeout)
        call = present_call()
        if call is None or call.caller is None:
            return await self._living(give_up_at)
        share = await self._share(call.actor, give_up_at)
        try:
            conn = await self._living(give_up_at)
        except BaseException:
            share.release()
            raise
        self._lent[conn] = share
        return conn

    async def putconn(self, conn: Connection) -> None:
        """Take a connection back."""
        try:
            await super().putconn(conn)
        finally:
            if share := self._lent.pop(conn, None):
                share.release()

    async def _share(self, actor: str, give_up_at: float) -> asyncio.Semaphore:
        """The caller's share, with one connection taken from it."""
        share = self._shares.get(actor)
        if share is None:
            self._shares[actor] = share = asyncio.Semaphore(max(1, self.max_size // 2))
        try:
            async with asyncio.timeout(give_up_at - time.monotonic()):
                await share.acquire()
        except TimeoutError:
            raise PoolTimeout("this caller has all the connections that one caller gets") from None
        return share

    async def _living(self, give_up_at: float) -> Connection:
        while not _is_open(conn := await super().getconn(max(0.0, give_up_at - time.monotonic()))):
            await conn.close()
            await super().putconn(conn)
        return conn


def _is_open(conn: Connection) -> bool:
    """Whether the connection is open. An idle connection has nothing to read except its end; checking costs no round
    trip."""
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return not poll.poll(0)


def make_pool(url: str, size: int) -> Pool:
    """A pool of `size` connections in autocommit mode, not yet open. Waiting for a connection ends after
    `WAIT_FOR_CONNECTION_S`. Its statements may take as long as they need: for folds and operators."""
    return _pool(url, size, _FOLDING)


def command_pool(url: str, size: int) -> Pool:
    """As `make_pool`, for calls: no statement may last longer than any call, and no transaction may stand idle for
    longer than `VANISHED_S`."""
    return _pool(url, size, _SERVING)


def query_pool(url: str, size: int) -> Pool:
    """As `command_pool`, for pure reads: PostgreSQL refuses all writes."""
    return _pool(url, size, _SERVING | _READING)


def _pool(url: str, size: int, options: dict[str, str]) -> Pool:
    async def configure(conn: Connection) -> None:
        await sessions.fix(conn, _PLANNING | _VANISHING | options)

    return ServicePool(
        url,
        min_size=min(2, size),
        max_size=size,
        open=False,
        timeout=WAIT_FOR_CONNECTION_S,
        max_waiting=MAX_WAITING,
        kwargs={"autocommit": True, **_LINK},
        configure=configure,
    )


async def connect(url: str) -> Connection:
    """A new connection, in autocommit mode."""
    conn = await psycopg.AsyncConnection.connect(url, autocommit=True, **_LINK)
    try:
        await sessions.fix(conn, _PLANNING | _VANISHING)
    except BaseException:
        with contextlib.suppress(psycopg.Error):
            await conn.close()
        raise
    return conn
