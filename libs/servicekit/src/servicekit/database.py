"""Connections of a service to its own database."""

from __future__ import annotations

import select

import psycopg
from psycopg_pool import AsyncConnectionPool

from eventfold.store import Connection, Pool

WAIT_FOR_CONNECTION_S = 5.0


def make_pool(url: str, size: int) -> Pool:
    """A pool of `size` connections in autocommit mode, not yet open; waiting for one ends after
    `WAIT_FOR_CONNECTION_S`."""
    return AsyncConnectionPool(
        url, min_size=min(2, size), max_size=size, open=False, timeout=WAIT_FOR_CONNECTION_S,
        kwargs={"autocommit": True}, check=require_open,
    )  # fmt: skip


async def require_open(conn: Connection) -> None:
    """Raise OperationalError for a connection that the server has closed, so that the pool opens another.

    An idle connection has nothing to read but its end; looking costs no round trip.
    """
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    if poll.poll(0):
        await conn.close()  # else the pool would take it back and hand it out again
        raise psycopg.OperationalError("the server has closed this connection")


async def connect(url: str) -> Connection:
    """A connection of one's own, in autocommit mode."""
    return await psycopg.AsyncConnection.connect(url, autocommit=True)
