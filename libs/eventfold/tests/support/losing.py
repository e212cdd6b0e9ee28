"""Topics that lose what was on them, as brokers' disks and other people's tools have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from reading import read_all
from relaying import eventually

from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import administrator, existing_topics, prepare_topics


async def remade(brokers: Brokers, topic: str) -> None:
    """Deleted and made again, empty, with as many partitions."""
    partitions = (await existing_topics(brokers))[topic]
    async with administrator(brokers) as admin:
        await admin.delete_topics([topic])

        async def gone() -> bool:
            return topic not in await existing_topics(brokers)

        await eventually(gone)
    await prepare_topics(brokers, [topic], partitions=partitions)


async def rewritten(
    brokers: Brokers, topic: str, left: Callable[[Sequence[Any]], Sequence[Any]], *, chained: bool = True
) -> list[Any]:
    """Made anew with what is `left` of the records of each partition. Returns what it had. Unless `chained` no record
    tells what was before it, as those of older relays do not."""
    had = await read_all(brokers, topic)
    await remade(brokers, topic)
    producer = AIOKafkaProducer(**brokers.client())
    await producer.start()
    for partition in sorted({one.partition for one in had}):
        for one in left([record for record in had if record.partition == partition]):
            headers = [one for one in one.headers if chained or one[0] != "ce_previoussequence"]
            await producer.send_and_wait(topic, one.value, key=one.key, partition=partition, headers=headers)
    await producer.stop()
    return had
