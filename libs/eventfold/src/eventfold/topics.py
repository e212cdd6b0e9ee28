"""Event topics: created as declared, and refused where they would lose their history."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from eventfold.errors import TopicMisconfigured


async def prepare_topics(bootstrap: str, topics: Sequence[str], *, partitions: int, replication: int = 1) -> None:
    """Create missing event topics (kept for ever, never compacted) and check those that exist.

    Raises `TopicMisconfigured` for a compacted topic or one with another number of partitions.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await _create_missing(admin, topics, partitions, replication)
        await _check(admin, topics, partitions)
    finally:
        await admin.close()


async def _create_missing(admin: AIOKafkaAdminClient, topics: Sequence[str], partitions: int, replication: int) -> None:
    existing = set(await admin.list_topics())
    config = {"cleanup.policy": "delete", "retention.ms": "-1"}
    new = [
        NewTopic(name, num_partitions=partitions, replication_factor=replication, topic_configs=config)
        for name in topics if name not in existing
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
        for _, _, _, name, entries in response.resources:
            if any("compact" in (entry[1] or "") for entry in entries):
                raise TopicMisconfigured(name, "is compacted, which deletes history; set cleanup.policy=delete")
