"""Fills a generation from the store, with a new producer after each failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiokafka.errors import KafkaError

from eventfold import Connection
from eventfold.publish import generations, history, sending
from eventfold.publish.generations import Generation
from eventfold_ops.deployment import Deployment
from eventfold_ops.progress import Progress

ATTEMPTS, PAUSE_S = 10, 0.5
"""A producer sends nothing a second time, and a topic that was just created may have no leader yet."""

Enough = Callable[[Generation], Awaitable[bool]]


async def filled(deployment: Deployment, conn: Connection, one: Generation, enough: Enough) -> Generation:
    """Fill from the present cursor until that is `enough` or nothing is left. Raises `KafkaError` after `ATTEMPTS`
    without progress, and the errors of `enough`."""
    progress, failed = Progress(f"filling {one.name}", done=one.cursor), 0
    while True:
        before = one.cursor
        try:
            async with sending.started(deployment.producer("fill")) as session:
                return await _filled(deployment, conn, one, enough, session, progress)
        except KafkaError:
            one = next(known for known in await generations.load(conn, one.topic) if known.name == one.name)
            failed = failed + 1 if one.cursor == before else 1
            if failed >= ATTEMPTS:
                raise
        await asyncio.sleep(PAUSE_S)


async def _filled(
    deployment: Deployment, conn: Connection, one: Generation, enough: Enough, session: object, progress: Progress
) -> Generation:
    if not one.cursor:
        await generations.open_with(session, deployment.publisher.source, one, await history.load(conn))
    while not await enough(one):
        progress.total = await _last(conn)
        more = await generations.fill(conn, session, deployment.publisher, deployment.codec, one)
        if more == one:
            break
        progress.add(more.cursor - one.cursor)
        one = more
    return one


async def _last(conn: Connection) -> int:
    """The highest number of an event."""
    row = await (await conn.execute("SELECT coalesce(max(first_seq + length - 1), 0) FROM sequence_run")).fetchone()
    return int(row[0]) if row else 0
