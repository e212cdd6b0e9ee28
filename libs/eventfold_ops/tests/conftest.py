"""Fixtures over a real PostgreSQL and Kafka: every test has a schema, a topic prefix and a deployment of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from examined import BOOKS, change, fold
from house import House, built, context
from relaying import eventually, everything_acknowledged, relaying
from shelf import CODEC, SHELVES, TOPIC, JsonInsteadOfAvro, add

from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import prepare_topics
from eventfold_ops.deployment import Deployment


@pytest.fixture
async def house(postgres_url: str) -> AsyncIterator[House]:
    async with built(postgres_url) as one:
        yield one


@pytest.fixture
async def library(house: House, brokers: Brokers) -> Deployment:
    """The example domain as its operators see it, with its topic of two partitions."""
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=2)
    return Deployment(
        name="library",
        database_url=house.url,
        brokers=brokers,
        group=f"{house.prefix}library",
        relay_name="relay",
        codec=CODEC,
        avro=JsonInsteadOfAvro(),
        publisher=house.publisher,
        topics=(TOPIC,),
        groups=(SHELVES,),
        topic_prefix=house.prefix,
        current_kek_id=lambda: "current-key",
    )


@pytest.fixture
async def healthy(house: House, library: Deployment) -> Deployment:
    """Books recorded, sent and counted; the relay has gone, and its lease says otherwise for an hour."""
    async with relaying(house, library.brokers):
        await house.store.handle_batch([add(f"s{n % 4}", f"t{n}") for n in range(BOOKS)], context())
        await eventually(lambda: everything_acknowledged(house))
    await fold(house, library)
    await change(house, "UPDATE lease SET expires_at = clock_timestamp() + interval '1 hour'")
    await change(house, "INSERT INTO subject_key VALUES ('m', 'wrapped', 'current-key', clock_timestamp(), NULL)")
    return library
