"""Connections of a service to its own database."""

from __future__ import annotations

import select

import psycopg
from psycopg_pool import AsyncConnectionPool

from eventfold import sessions
from eventfold.store import Connection, Pool

WAIT_FOR_CONNECTION_S = 5.0
# What solid disks cost. With PostgreSQL's default, which is for turning ones, a statement that is prepared while its
# table is small reads the whole table each time, until the next ANALYZE finds that it has grown.
_PLANNING = "SET random_page_cost = 1.1"


class ServicePool(AsyncConnectionPool[Connection]):
    """A pool that gives no connection which the server has closed (it restarted, say): it opens others instead.

    psycopg's own `check` would pause for longer and longer between dead connections, of which there may be many.
    """

    async def getconn(self, timeout: float | None = None) -> Connection:  # noqa: ASYNC109 - the pool's signature
        """An open connection. Raises PoolTimeout."""
        while not _is_open(conn := await super().getconn(timeout)):
            await conn.close()
            await self.putconn(conn)
        return conn


def _is_open(conn: Connection) -> bool:
    """An idle connection has nothing to read but its end; looking costs no round trip."""
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return not poll.poll(0)


def make_pool(url: str, size: int) -> Pool:
    """A pool of `size` connections in autocommit mode, not yet open; waiting for one ends after
    `WAIT_FOR_CONNECTION_S`."""
    return ServicePool(
        url, min_size=min(2, size), max_size=size, open=False, timeout=WAIT_FOR_CONNECTION_S,
        kwargs={"autocommit": True}, configure=_set_up,
    )  # fmt: skip


async def connect(url: str) -> Connection:
    """A connection of one's own, in autocommit mode."""
    conn = await psycopg.AsyncConnection.connect(url, autocommit=True)
    await _set_up(conn)
    return conn


async def _set_up(conn: Connection) -> None:
    await sessions.fix(conn)
    await conn.execute(_PLANNING)
