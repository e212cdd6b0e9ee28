"""Fixtures over a real PostgreSQL and Kafka: every test has a schema, a topic prefix and a deployment of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from house import House, built
from shelf import CODEC, COUNTING, TOPIC, JsonInsteadOfAvro

from eventfold.topics import prepare_topics
from eventfold_ops.deployment import Deployment


@pytest.fixture
async def house(postgres_url: str) -> AsyncIterator[House]:
    async with built(postgres_url) as one:
        yield one


@pytest.fixture
async def library(house: House, kafka_bootstrap: str) -> Deployment:
    """The example domain as its operators see it, with its topic of two partitions."""
    await prepare_topics(kafka_bootstrap, [house.prefix + TOPIC], partitions=2)
    return Deployment(
        name="library", database_url=house.url, kafka_bootstrap=kafka_bootstrap, group=f"{house.prefix}library",
        relay_name="relay", codec=CODEC, avro=JsonInsteadOfAvro(), publisher=house.publisher, topics=(TOPIC,),
        projections=(COUNTING,), topic_prefix=house.prefix, current_kek_id=lambda: "current-key",
    )  # fmt: skip
