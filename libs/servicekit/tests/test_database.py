"""Connections whose server went away are replaced at the next use, and all are set alike whatever their role says."""

from __future__ import annotations

import contextlib
from typing import Any

from eventfold.postgres.sessions import FIXED
from servicekit import database

SIZE = 4
ODD = "?options=-c%20TimeZone%3DAsia/Kathmandu%20-c%20DateStyle%3DSQL%2CDMY%20-c%20extra_float_digits%3D-15"
BOUNDS = ("idle_in_transaction_session_timeout", "statement_timeout", "default_transaction_read_only")


async def test_connections_that_the_server_closed_are_never_handed_out(postgres_url: str) -> None:
    async with database.make_pool(postgres_url, SIZE) as pool, await database.connect(postgres_url) as operator:
        async with contextlib.AsyncExitStack() as stack:
            pooled = [await stack.enter_async_context(pool.connection()) for _ in range(SIZE)]
            backends = [conn.info.backend_pid for conn in pooled]
        await operator.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s::int[]) AS pid", [backends])
        for _ in range(SIZE):
            async with pool.connection() as conn:
                assert await (await conn.execute("SELECT 1")).fetchone() == (1,)
                assert conn.info.backend_pid not in backends


async def shown(conn: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """The session's settings, in that order."""
    cursor = await conn.execute("SELECT current_setting(name) FROM unnest(%s::text[]) AS name", [list(names)])
    return tuple(row[0] for row in await cursor.fetchall())


async def test_every_connection_reads_alike_and_keeps_the_bounds_of_its_use(postgres_url: str) -> None:
    url, names = postgres_url + ODD, tuple(name for name, _ in FIXED)
    async with (
        database.make_pool(url, 1) as folding,
        database.command_pool(url, 1) as commands,
        database.query_pool(url, 1) as queries,
        await database.connect(url) as alone,
        folding.connection() as fold,
        commands.connection() as command,
        queries.connection() as query,
    ):
        for conn in (fold, command, query, alone):
            assert await shown(conn, names) == tuple(value for _, value in FIXED)
            assert await shown(conn, ("random_page_cost",)) == ("1.1",)
        assert await shown(fold, BOUNDS) == ("30s", "0", "off")
        assert await shown(command, BOUNDS) == ("10s", "30s", "off")
        assert await shown(query, BOUNDS) == ("10s", "30s", "on")
