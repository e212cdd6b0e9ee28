"""Deployments for the doctor, and what is done to them and asked of its findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from house import House
from shelf import SHELVES, TOPIC, JsonInsteadOfAvro

from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor.examining import examine
from eventfold_ops.doctor.finding import Finding

BOOKS = 20


async def change(house: House, statement: str) -> None:
    async with house.pool.connection() as conn:
        await conn.execute(statement)


async def fold(house: House, library: Deployment) -> None:
    """Apply all that the topic holds."""
    runner = FoldRunner(
        worker="t", pool=house.pool, avro=JsonInsteadOfAvro(), groups=[SHELVES], topic_prefix=house.prefix
    )
    consumer = AIOKafkaConsumer(**library.brokers.client(), auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(house.prefix + TOPIC, n) for n in range(2)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            fetched = await consumer.getmany(timeout_ms=200)
            await runner.apply([PartitionBatch(p.topic, p.partition, records) for p, records in fetched.items()])
    finally:
        await consumer.stop()


def of(findings: Sequence[Finding], check: str) -> Finding:
    [found] = [one for one in findings if one.check == check]
    return found


async def only_complaint(library: Deployment, *, but: str = "-") -> Finding:
    """The one finding that is not ok, `but` for those of checks that begin so; it says what to do."""
    [found] = [one for one in await examine(library) if one.state != "ok" and not one.check.startswith(but)]
    assert found.next_step
    return found


async def with_admin(library: Deployment, act: Any) -> None:
    admin = AIOKafkaAdminClient(**library.brokers.client())
    await admin.start()
    try:
        await act(admin)
    finally:
        await admin.close()


async def configure(library: Deployment, topic: str, **config: str) -> None:
    values = {name.replace("_", "."): value for name, value in config.items()}
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=values)
    await with_admin(library, lambda admin: admin.alter_configs([resource]))
