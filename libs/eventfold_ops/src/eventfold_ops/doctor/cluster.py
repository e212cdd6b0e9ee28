"""Kafka's data about a deployment's topics, requested once for all checks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from eventfold.publish.generations import logical, number
from eventfold_ops.deployment import Deployment

ANSWER_S = 15.0
"""Time limit for all of Kafka's answers together."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One existing topic. `replicas` is the smallest number of replicas of its partitions. `retention_ms` and
    `retention_bytes` (of each partition) are unlimited if below 0."""

    partitions: int
    replicas: int
    cleanup_policy: str
    retention_ms: int
    retention_bytes: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Topics by their names on Kafka (with prefix), and the first and next offset of every partition."""

    topics: Mapping[str, Topic]
    begins: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]

    def places(self, topic: str) -> list[TopicPartition]:
        """The partitions of a topic; none if it does not exist."""
        return [TopicPartition(topic, n) for n in range(self.topics[topic].partitions)] if topic in self.topics else []

    def newest(self, deployment: Deployment) -> list[str]:
        """The newest generation of every topic that the deployment sends on or reads; the first if none exists."""
        return [
            max((name for name in self.topics if logical(name) == topic), key=number, default=topic)
            for topic in names(deployment)
        ]


def names(deployment: Deployment) -> list[str]:
    """Every topic that the deployment sends on or reads, with prefix."""
    return sorted(deployment.topic_prefix + one for one in {*deployment.topics, *deployment.topics_read})


async def look(deployment: Deployment) -> Cluster:
    """Ask Kafka. Raises `KafkaError` or `TimeoutError` if it does not answer."""
    async with asyncio.timeout(ANSWER_S):
        topics = await _topics(deployment)
        places = [TopicPartition(name, n) for name, topic in topics.items() for n in range(topic.partitions)]
        if not places:
            return Cluster(topics, {}, {})
        async with consumer_of(deployment) as consumer:
            return Cluster(topics, await consumer.beginning_offsets(places), await consumer.end_offsets(places))


@asynccontextmanager
async def consumer_of(deployment: Deployment) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group: it moves nobody's position."""
    consumer = AIOKafkaConsumer(**deployment.brokers.client(), enable_auto_commit=False)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _topics(deployment: Deployment) -> dict[str, Topic]:
    admin = AIOKafkaAdminClient(**deployment.brokers.client())
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        wanted = sorted(name for name in existing if logical(name) in names(deployment))
        configs = await _configs(admin, wanted)
        described = await admin.describe_topics(wanted) if wanted else []
        return {one["topic"]: _topic(one["partitions"], configs[one["topic"]]) for one in described}
    finally:
        await admin.close()


async def _configs(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    asked = {"cleanup.policy": None, "retention.ms": None, "retention.bytes": None}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, configs=asked) for name in topics]
    answers = await admin.describe_configs(resources) if resources else []
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for _, _, _, name, entries in answer.resources
    }


def _topic(partitions: Sequence[Mapping[str, Sequence[int]]], config: Mapping[str, str]) -> Topic:
    replicas = min((len(partition["replicas"]) for partition in partitions), default=0)
    kept = int(config["retention.ms"]), int(config["retention.bytes"])
    return Topic(len(partitions), replicas, config["cleanup.policy"], *kept)
