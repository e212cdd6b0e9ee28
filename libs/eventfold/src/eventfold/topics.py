"""Event topics: created as declared, and refused where they would lose their history."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection, Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

import eventfold.connections  # noqa: F401 - sets the class of connections
from eventfold.errors import TopicMisconfigured
from eventfold.generations import logical, number
from eventfold.store import Connection

_WITH_HISTORY = """SELECT topic FROM relay_head WHERE seq > 0
UNION SELECT topic FROM fold_position WHERE next_offset > 0"""


async def prepare_topics(
    bootstrap: str, topics: Sequence[str], *, partitions: int, replication: int = 1,
    with_history: Collection[str] = (),
) -> None:  # fmt: skip
    """Create missing event topics (kept for ever, never compacted) and check those that exist.

    Leaves alone what has later generations: its first one may be gone on purpose, and a replay may have given it
    another number of partitions. Raises `TopicMisconfigured`, having created nothing, for a missing topic that is
    `with_history`, under whatever generation: made anew it would be empty, and pass for whole. Raises it too for a
    compacted topic or one with another number of partitions.
    """
    async with administrator(bootstrap) as admin:
        existing = set(await admin.list_topics())
        replayed = {logical(name) for name in existing if number(name) > 1}
        declared = [topic for topic in topics if topic not in replayed]
        if declared:
            missing = [topic for topic in declared if topic not in existing]
            _refuse_lost(missing, {logical(name) for name in with_history})
            await _create_missing(admin, missing, partitions, replication)
            await _check(admin, declared, partitions)


def _refuse_lost(missing: Sequence[str], with_history: Collection[str]) -> None:
    for topic in missing:
        if topic in with_history:
            reason = "has a history and is not on Kafka; have its owner run `replay --lost`, then its readers `switch`"
            raise TopicMisconfigured(topic, reason)


async def topics_with_history(conn: Connection) -> set[str]:
    """The topics on Kafka, generation by generation, that this database's relays have written or its handlers have
    read something of."""
    return {topic for (topic,) in await (await conn.execute(_WITH_HISTORY)).fetchall()}


async def existing_topics(bootstrap: str) -> dict[str, int]:
    """Every topic on Kafka with its number of partitions. Raises `KafkaError`."""
    async with administrator(bootstrap) as admin:
        described = await admin.describe_topics()
    return {one["topic"]: len(one["partitions"]) for one in described}


@contextlib.asynccontextmanager
async def administrator(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client, closed on leaving and where it cannot start."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _create_missing(admin: AIOKafkaAdminClient, topics: Sequence[str], partitions: int, replication: int) -> None:
    config = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    new = [
        NewTopic(name, num_partitions=partitions, replication_factor=replication, topic_configs=config)
        for name in topics
    ]  # fmt: skip
    if not new:
        return
    response = await admin.create_topics(new)
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise TopicMisconfigured(name, f"cannot be created: {error.__name__} {message}")


async def _check(admin: AIOKafkaAdminClient, topics: Sequence[str], partitions: int) -> None:
    for description in await admin.describe_topics(list(topics)):
        count = len(description["partitions"])
        if count and count != partitions:
            raise TopicMisconfigured(description["topic"], f"has {count} partitions, declared are {partitions}")
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, configs={"cleanup.policy": None}) for name in topics]
    for response in await admin.describe_configs(resources):
        for code, message, _, name, entries in response.resources:
            error = for_code(code)
            # A topic that was made a moment ago may not be known to every broker yet; it is as it was made.
            if code and error is not UnknownTopicOrPartitionError:
                raise TopicMisconfigured(name, f"cannot be examined: {error.__name__} {message}")
            if any("compact" in (entry[1] or "") for entry in entries):
                raise TopicMisconfigured(name, "is compacted, which deletes history; set cleanup.policy=delete")
