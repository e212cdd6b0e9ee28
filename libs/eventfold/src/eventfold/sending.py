"""How records reach a topic: unbroken runs, one batch in flight per partition."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder

import eventfold.connections  # noqa: F401 - sets the class of connections
from eventfold.publish import Record

SEND_WITHIN_S = 40.0
"""Longer than a producer tries one batch. Where nothing has come by then, its sender has ended, and nothing will."""

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
    session: AIOKafkaProducer, runs: Mapping[TopicPartition, Sequence[Record]]
) -> dict[TopicPartition, int]:
    """Send each partition's records in order and wait for all acknowledgements.

    Returns an offset of each partition above everything that it acknowledged before the last batch sent here. Raises
    `KafkaError`: then the producer must be dropped, and the run starts again at the cursor.
    """
    offsets = await asyncio.gather(*(_send_run(session, place, run) for place, run in runs.items()))
    return dict(zip(runs, offsets, strict=True))


async def _send_run(session: AIOKafkaProducer, place: TopicPartition, run: Sequence[Record]) -> int:
    """Send one partition's records in order, the next batch only after the last one is acknowledged."""
    topic, partition = place
    sent = next_offset = 0
    while sent < len(run):
        builder = session.create_batch()
        _fill(builder, itertools.islice(run, sent, None))
        acknowledged = await _acknowledged(session, builder, topic, partition)
        sent += builder.record_count()
        next_offset = max(next_offset, acknowledged.offset + builder.record_count())
    return next_offset


async def _acknowledged(session: AIOKafkaProducer, builder: BatchBuilder, topic: str, partition: int) -> Any:
    try:
        async with asyncio.timeout(SEND_WITHIN_S):
            return await (await session.send_batch(builder, topic, partition=partition))
    except TimeoutError as late:
        raise KafkaTimeoutError(f"{topic}[{partition}]: no answer within {SEND_WITHIN_S:.0f} s") from late


def _fill(builder: BatchBuilder, records: Iterable[Record]) -> None:
    """Add as many as there is room for; the first always has room."""
    append = builder.append
    for _, key, value, headers, timestamp_ms in records:
        if append(timestamp=timestamp_ms, key=key, value=value, headers=headers) is None:
            return
