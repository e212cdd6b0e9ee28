"""What is on a topic, and whether a fold that drops what it has seen would find everything, in order."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer
from house import House
from relaying import DEADLINE_S

from eventfold.publish.brokers import Brokers


async def read_all(brokers: Brokers, topic: str) -> list[Any]:
    consumer = AIOKafkaConsumer(topic, **brokers.client(), auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        records: list[Any] = []
        async with asyncio.timeout(DEADLINE_S):
            while len(records) < sum(ends.values()):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records.extend(batch)
        return records
    finally:
        await consumer.stop()


def header(record: Any, name: str) -> str:
    return str(dict(record.headers)[name].decode())


def assert_unbroken_runs(records: list[Any], expected: list[tuple[int, str]]) -> None:
    """On each partition, taking what goes on from the highest number so far leaves exactly the stored order.

    A reader drops what is not above its highest number, and passes over what comes after records that it has not had:
    if a topic is emptied between a relay's look and its next record, that one stands before those that are sent again.
    """
    kept: list[tuple[int, str]] = []
    highest: dict[int, int] = {}
    for record in records:
        seq, before = int(header(record, "ce_sequence")), highest.get(record.partition, 0)
        if seq > before >= int(dict(record.headers).get("ce_previoussequence", b"0")):
            highest[record.partition] = seq
            kept.append((seq, header(record, "ce_id")))
    assert sorted(kept) == expected


async def stored_order(house: House) -> list[tuple[int, str]]:
    positions: list[tuple[Any, ...]] = await house.rows("SELECT position FROM events")
    async with house.pool.connection() as conn:
        stored = [await house.store.at(conn, position) for (position,) in positions]
    return sorted((one.seq or 0, str(one.id)) for one in stored if one and house.publisher.topic(one))
