"""The content of a service's topics, as seen by a consumer that reads them from the first record."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition

from eventfold.publish.brokers import Brokers
from eventfold.publish.generations import current_names
from eventfold.publish.topics import existing_topics

READ_S = 60.0


@dataclass(slots=True)
class OnTopic:
    """The events of one topic as the folds take them: what is not above the highest `ce_sequence` is dropped, and what
    comes after records that were not had (`ce_previoussequence`) is passed over."""

    ids: list[str] = field(default_factory=list)
    duplicates: int = 0
    disorder: int = 0
    """Number of events that are not in the order of their streams."""


async def read(brokers: Brokers, database_url: str, topics: list[str]) -> dict[str, OnTopic]:
    """The content of each topic, in its present generation."""
    async with await psycopg.AsyncConnection.connect(database_url) as conn:
        names = await current_names(conn, topics)
    there = await existing_topics(brokers)
    return {topic: await _read(brokers, name, there.get(name, 0)) for topic, name in names.items()}


async def _read(brokers: Brokers, name: str, partitions: int) -> OnTopic:
    consumer = AIOKafkaConsumer(**brokers.client(), auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    found = OnTopic()
    try:
        places = [TopicPartition(name, one) for one in range(partitions)]
        consumer.assign(places)
        for place in places:
            await _read_partition(consumer, place, found)
    finally:
        await consumer.stop()
    return found


async def _read_partition(consumer: AIOKafkaConsumer, place: TopicPartition, found: OnTopic) -> None:
    highest, versions = 0, defaultdict[str, int](int)
    end = (await consumer.end_offsets([place]))[place]
    async with asyncio.timeout(READ_S):
        while await consumer.position(place) < end:
            for record in (await consumer.getmany(place, timeout_ms=200)).get(place, []):
                headers = {key: value.decode() for key, value in record.headers}
                if "ce_sequence" not in headers or "ce_id" not in headers or "ce_aggregateversion" not in headers:
                    continue  # a generation's closing record
                seq, previous = int(headers["ce_sequence"]), int(headers.get("ce_previoussequence", "0"))
                if seq <= highest:
                    found.duplicates += 1
                if seq <= highest or previous > highest:  # it comes again after those that it stands before
                    continue
                highest = seq
                found.ids.append(headers["ce_id"])
                stream, version = headers.get("ce_subject", ""), int(headers["ce_aggregateversion"])
                found.disorder += version <= versions[stream]
                versions[stream] = version
