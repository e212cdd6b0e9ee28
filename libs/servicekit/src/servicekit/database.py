"""Connections of a service to its own database."""

from __future__ import annotations

import psycopg
from psycopg_pool import AsyncConnectionPool

from eventfold.store import Connection, Pool

WAIT_FOR_CONNECTION_S = 5.0


def make_pool(url: str, size: int) -> Pool:
    """A pool of `size` connections in autocommit mode, not yet open; waiting for one ends after
    `WAIT_FOR_CONNECTION_S`."""
    return AsyncConnectionPool(
        url, min_size=min(2, size), max_size=size, open=False, timeout=WAIT_FOR_CONNECTION_S,
        kwargs={"autocommit": True},
    )  # fmt: skip


async def connect(url: str) -> Connection:
    """A connection of one's own, in autocommit mode."""
    return await psycopg.AsyncConnection.connect(url, autocommit=True)
