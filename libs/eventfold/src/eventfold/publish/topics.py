"""Event topics: created as declared, and refused if they would lose their history or would not accept written
records."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from eventfold.errors import TopicMisconfigured
from eventfold.postgres.sessions import Connection
from eventfold.publish.brokers import Brokers
from eventfold.publish.connections import closed
from eventfold.publish.generations import logical, number
from eventfold.publish.topic_settings import ADOPTED, CREATED, complaint

_SET_ON_THE_TOPIC = 1
"""Source of a setting that was made on the topic, and is not a default of the broker or of Kafka."""

_WRITTEN = "SELECT topic, count(*) FROM relay_head GROUP BY topic"
_READ = "SELECT topic, partitions FROM topic_read"

log = logging.getLogger(__name__)


class OnRecord(NamedTuple):
    """The number of partitions of topics on Kafka, generation by generation, as a database has recorded them: `written`
    for those that its relay writes now, `read` for those that its handlers have read."""

    written: Mapping[str, int]
    read: Mapping[str, int]


NOTHING_ON_RECORD = OnRecord({}, {})


async def prepare_topics(
    brokers: Brokers,
    topics: Sequence[str],
    *,
    partitions: int,
    replication: int = 1,
    on_record: OnRecord = NOTHING_ON_RECORD,
) -> None:
    """Create missing event topics (`topic_settings.CREATED`). On existing topics, set the adopted settings that nobody
    has set, then check them.

    A lost topic that the relay has written is created anew with the recorded number of partitions; the relay fills it
    again from the store before it sends anything new. A missing topic that others write, and that was read here, is
    left to them. If a topic has later generations, its first one is left alone. Raises `TopicMisconfigured` for a topic
    with another number of partitions, and for one that would lose its history or refuse records that may be written.
    """
    async with administrator(brokers) as admin:
        existing = set(await admin.list_topics())
        lost = {name: count for name, count in on_record.written.items() if name not in existing}
        for name, count in lost.items():
            log.error("topic %s is not on Kafka: it is made anew, and filled from the store", name)
            await _create_missing(admin, [name], count, replication)
        later = {logical(name) for name in {*existing, *lost} if number(name) > 1}
        declared = [one for one in topics if one not in later and one not in lost]
        left = {logical(name) for name in on_record.read} - existing
        missing = [one for one in declared if one not in existing and one not in left]
        await _create_missing(admin, missing, partitions, replication)
        present = [one for one in declared if one in existing]
        await _adopt(admin, present)
        await _check(admin, [*missing, *present], partitions, on_record.written)


async def check_topics(brokers: Brokers, topics: Sequence[str]) -> None:
    """Raise `TopicMisconfigured` for the first of these topics on Kafka that is missing, would lose its history, or
    would refuse records that may be written. Raises `KafkaError`. A few round trips."""
    async with administrator(brokers) as admin:
        existing = set(await admin.list_topics())
        for topic in topics:
            if topic not in existing:
                raise TopicMisconfigured(topic, "is not on Kafka; run `prepare`")
        await _check(admin, topics, partitions=None)


async def on_record(conn: Connection) -> OnRecord:
    """The topics that the database has on record."""
    written, read = await conn.execute(_WRITTEN), await conn.execute(_READ)
    return OnRecord(dict(await written.fetchall()), dict(await read.fetchall()))


async def existing_topics(brokers: Brokers) -> dict[str, int]:
    """Every topic on Kafka with its number of partitions. Raises `KafkaError`."""
    async with administrator(brokers) as admin:
        described = await admin.describe_topics()
    return {one["topic"]: len(one["partitions"]) for one in described}


@contextlib.asynccontextmanager
async def administrator(brokers: Brokers) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client. It is closed on leaving, and also if it cannot start."""
    admin = AIOKafkaAdminClient(**brokers.client())
    try:
        await admin.start()
        yield admin
    finally:
        await closed(admin.close)


async def _create_missing(admin: AIOKafkaAdminClient, topics: Sequence[str], partitions: int, replication: int) -> None:
    new = [
        NewTopic(name, num_partitions=partitions, replication_factor=replication, topic_configs=dict(CREATED))
        for name in topics
    ]
    if not new:
        return
    response = await admin.create_topics(new)
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise TopicMisconfigured(name, f"cannot be created: {error.__name__} {message}")


async def _adopt(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> None:
    """Make the adopted settings on existing topics, unless they are set there already."""
    changed = []
    for name, settings in (await _settings(admin, topics)).items():
        own = {key: value for key, (value, source) in settings.items() if source == _SET_ON_THE_TOPIC}
        missing = {key: CREATED[key] for key in ADOPTED if key not in own and settings[key][0] != CREATED[key]}
        if missing:  # this request resets the settings that it does not name
            changed.append(ConfigResource(ConfigResourceType.TOPIC, name, configs={**own, **missing}))
    for response in await admin.alter_configs(changed) if changed else ():
        for code, message, _, name in response.resources:
            if code:
                raise TopicMisconfigured(name, f"cannot be set up: {for_code(code).__name__} {message}")


async def _check(
    admin: AIOKafkaAdminClient,
    topics: Sequence[str],
    partitions: int | None,
    written: Collection[str] = (),
) -> None:
    if not topics:
        return
    described: dict[str, Sequence[Any]] = {}
    for description in await admin.describe_topics(list(topics)):
        name, found = description["topic"], description["partitions"]
        if partitions and found and name not in written and len(found) != partitions:
            raise TopicMisconfigured(name, f"has {len(found)} partitions, declared are {partitions}")
        described[name] = found
    for name, settings in (await _settings(admin, topics)).items():
        replicas = min((len(one["replicas"]) for one in described[name]), default=None)
        if reason := complaint({key: value for key, (value, _) in settings.items()}, replicas):
            raise TopicMisconfigured(name, reason)


async def _settings(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, Mapping[str, tuple[str, int]]]:
    """Each setting of each topic, with its source. A topic that was just created may be unknown to a broker; it is left
    out, because its settings are known."""
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
