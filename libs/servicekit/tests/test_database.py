"""Connections whose server went away are replaced at the next use."""

from __future__ import annotations

import contextlib

from servicekit import database

SIZE = 4


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
