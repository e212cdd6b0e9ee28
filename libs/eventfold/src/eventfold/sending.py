"""How records reach a topic: unbroken runs, one batch in flight per partition."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping

from aiokafka import AIOKafkaProducer

from eventfold.publish import Record

TopicPartition = tuple[str, int]


@contextlib.asynccontextmanager
async def started(session: AIOKafkaProducer) -> AsyncIterator[AIOKafkaProducer]:
    """The producer, started; stopped on leaving."""
    await session.start()
    try:
        yield session
    finally:
        await session.stop()


async def send_runs(
    session: AIOKafkaProducer, queues: Mapping[TopicPartition, deque[Record]]
) -> dict[TopicPartition, int]:
    """Send each partition's records in order and wait for all acknowledgements; the queues are empty afterwards.

    Returns an offset of each partition above everything that it acknowledged before the last batch sent here. Raises
    `KafkaError`: then the producer must be dropped, and the run starts again at the cursor.
    """
    offsets = await asyncio.gather(*(_send_run(session, place, queue) for place, queue in queues.items()))
    return dict(zip(queues, offsets, strict=True))


async def _send_run(session: AIOKafkaProducer, place: TopicPartition, queue: deque[Record]) -> int:
    """Send one partition's records in order, the next batch only after the last one is acknowledged."""
    topic, partition = place
    next_offset = 0
    while queue:
        builder = session.create_batch()
        while queue:
            record = queue[0]
            added = builder.append(
                timestamp=record.timestamp_ms, key=record.key, value=record.value, headers=record.headers
            )
            if added is None:
                break
            queue.popleft()
        acknowledged = await (await session.send_batch(builder, topic, partition=partition))
        next_offset = max(next_offset, acknowledged.offset + builder.record_count())
    return next_offset
