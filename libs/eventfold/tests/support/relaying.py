"""A relay over the example domain, running beside a test, and waiting for what it does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from aiokafka import AIOKafkaProducer
from house import House
from shelf import CODEC, TOPIC

from eventfold.publish.brokers import Brokers
from eventfold.publish.relay import Relay
from eventfold.publish.relay_context import Examine, taken_as_they_are
from eventfold.publish.sending import Producer
from eventfold.publish.witness import tails_of

DEADLINE_S = 20.0


@contextlib.asynccontextmanager
async def relaying(
    house: House,
    brokers: Brokers,
    holder: str = "one",
    producers: Callable[[], AIOKafkaProducer] | None = None,
    examine: Examine = taken_as_they_are,
) -> AsyncIterator[Relay]:
    running = Relay(
        name="relay",
        holder=holder,
        connect=house.connect,
        publisher=house.publisher,
        codec=CODEC,
        producers=producers or (lambda: Producer(brokers, holder)),
        topics=[house.prefix + TOPIC],
        tails=tails_of(brokers),
        examine=examine,
    )
    task = asyncio.create_task(running.run())
    try:
        yield running
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def eventually(condition: Callable[[], Awaitable[bool]], deadline_s: float = DEADLINE_S) -> None:
    async with asyncio.timeout(deadline_s):
        while not await condition():  # noqa: ASYNC110 - the condition is in a database
            await asyncio.sleep(0.01)


async def everything_acknowledged(house: House) -> bool:
    rows = await house.rows(
        """SELECT (SELECT count(*) FROM unsequenced), (SELECT max(seq) FROM event_sequence),
                  (SELECT cursor FROM lease WHERE name = 'relay')"""
    )
    return rows[0][0] == 0 and rows[0][1] == rows[0][2]
