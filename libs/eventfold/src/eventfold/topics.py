"""Event topics: created as declared, and refused where they would lose their history or not take what is written."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

import eventfold.connections  # noqa: F401 - sets the class of connections
from eventfold.errors import TopicMisconfigured
from eventfold.generations import logical, number
from eventfold.store import Connection
from eventfold.topic_settings import ADOPTED, CREATED, complaint

_SET_ON_THE_TOPIC = 1
"""The source of a setting that is the topic's own, not the broker's or Kafka's default."""

_WITH_HISTORY = """SELECT topic FROM relay_head WHERE seq > 0
UNION SELECT topic FROM fold_position WHERE next_offset > 0"""


async def prepare_topics(
    bootstrap: str, topics: Sequence[str], *, partitions: int, replication: int = 1,
    with_history: Collection[str] = (),
) -> None:  # fmt: skip
    """Create missing event topics (`topic_settings.CREATED`) and check those that exist, once what nobody has set on
    them is set.

    Leaves alone what has later generations: its first one may be gone on purpose, and a replay may have given it
    another number of partitions. Raises `TopicMisconfigured`, having created nothing, for a missing topic that is
    `with_history`, under whatever generation: made anew it would be empty, and pass for whole. Raises it too for a
    topic with another number of partitions, and one that would lose its history or refuse what may be written.
    """
    async with administrator(bootstrap) as admin:
        existing = set(await admin.list_topics())
        replayed = {logical(name) for name in existing if number(name) > 1}
        declared = [topic for topic in topics if topic not in replayed]
        if declared:
            missing = [topic for topic in declared if topic not in existing]
            _refuse_lost(missing, {logical(name) for name in with_history})
            await _create_missing(admin, missing, partitions, replication)
            await _adopt(admin, [topic for topic in declared if topic not in missing])
            await _check(admin, declared, partitions)


async def check_topics(bootstrap: str, topics: Sequence[str]) -> None:
    """Raise `TopicMisconfigured` for the first of these topics on Kafka that is missing, would lose its history, or
    would refuse what may be written. Raises `KafkaError`. A few round trips."""
    async with administrator(bootstrap) as admin:
        existing = set(await admin.list_topics())
        for topic in topics:
            if topic not in existing:
                raise TopicMisconfigured(topic, "is not on Kafka; run `prepare`, or `replay --lost` if it was there")
        await _check(admin, topics, partitions=None)


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
    new = [
        NewTopic(name, num_partitions=partitions, replication_factor=replication, topic_configs=dict(CREATED))
        for name in topics
    ]  # fmt: skip
    if not new:
        return
    response = await admin.create_topics(new)
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise TopicMisconfigured(name, f"cannot be created: {error.__name__} {message}")


async def _adopt(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> None:
    """Set what nobody has set on topics that exist; what has been set on them stays."""
    changed = []
    for name, settings in (await _settings(admin, topics)).items():
        own = {key: value for key, (value, source) in settings.items() if source == _SET_ON_THE_TOPIC}
        missing = {key: CREATED[key] for key in ADOPTED if key not in own and settings[key][0] != CREATED[key]}
        if missing:  # this request takes away what it does not name
            changed.append(ConfigResource(ConfigResourceType.TOPIC, name, configs={**own, **missing}))
    for response in await admin.alter_configs(changed) if changed else ():
        for code, message, _, name in response.resources:
            if code:
                raise TopicMisconfigured(name, f"cannot be set up: {for_code(code).__name__} {message}")


async def _check(admin: AIOKafkaAdminClient, topics: Sequence[str], partitions: int | None) -> None:
    described: dict[str, Sequence[Any]] = {}
    for description in await admin.describe_topics(list(topics)):
        found = description["partitions"]
        if partitions and found and len(found) != partitions:
            raise TopicMisconfigured(description["topic"], f"has {len(found)} partitions, declared are {partitions}")
        described[description["topic"]] = found
    for name, settings in (await _settings(admin, topics)).items():
        replicas = min((len(one["replicas"]) for one in described[name]), default=None)
        if reason := complaint({key: value for key, (value, _) in settings.items()}, replicas):
            raise TopicMisconfigured(name, reason)


async def _settings(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, Mapping[str, tuple[str, int]]]:
    """Each setting of each topic, with its source. A topic that was made a moment ago may not be known to every broker
    yet and is left out: it is as it was made."""
    found: dict[str, Mapping[str, tuple[str, int]]] = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    for response in await admin.describe_configs(resources) if resources else ():
        for code, message, _, name, entries in response.resources:
            error = for_code(code)
            if code and error is not UnknownTopicOrPartitionError:
                raise TopicMisconfigured(name, f"cannot be examined: {error.__name__} {message}")
            if not code:
                found[name] = {entry[0]: (entry[1] or "", entry[3]) for entry in entries}
    return found
