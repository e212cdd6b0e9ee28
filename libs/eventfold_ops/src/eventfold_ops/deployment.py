"""The description of one service for operators: where its store, topics and read tables are, and how to read them."""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from eventfold import Connection, EventCodec, FoldGroup, Handler, Projection
from eventfold.errors import NotFound
from eventfold.postgres import sessions
from eventfold.publish import topics, witness
from eventfold.publish.brokers import Brokers
from eventfold.publish.publisher import Avro, Publisher
from eventfold.publish.sending import Producer


class NoSuchApp(Exception):
    """`--app` does not name a function that returns a deployment."""

    def __init__(self, app: str, reason: str) -> None:
        super().__init__(f"--app {app}: {reason}; it names a function as module:function that returns a Deployment")
        self.app = app


class NotConfigured(Exception):
    """The environment does not describe the deployment."""

    def __init__(self, app: str, reason: str) -> None:
        super().__init__(f"--app {app}: {reason}; give the environment that the service's own processes have")
        self.app = app


@dataclass(frozen=True)
class Deployment:
    """One service as its operators see it. Topics are named without `topic_prefix`.

    `build` changes with the code that folds: rows folded by another build are not resumed. If it is empty, the caller
    is responsible for that. `current_kek_id` returns the id of the current key-encryption key, None if this machine
    does not have it. `known_kek_ids` returns the ids of all keys here, including old ones.
    """

    name: str
    database_url: str = field(repr=False)
    brokers: Brokers
    group: str
    relay_name: str
    codec: EventCodec
    avro: Avro
    publisher: Publisher
    topics: tuple[str, ...] = ()
    groups: tuple[FoldGroup, ...] = ()
    topic_prefix: str = ""
    topic_partitions: int = 4
    topic_replication: int = 1
    build: str = ""
    current_kek_id: Callable[[], str | None] = lambda: None
    known_kek_ids: Callable[[], frozenset[str]] = frozenset

    @property
    def projections(self) -> Sequence[Projection]:
        """The projections of all groups."""
        return [one for group in self.groups for one in group.projections]

    @property
    def handlers(self) -> Sequence[Handler]:
        """The projections and processes of all groups."""
        return [one for group in self.groups for one in group.handlers]

    def alone(self, projection: Projection) -> FoldGroup:
        """The projection in a group of its own, which parks if the projection's present group does."""
        parks = any(group.parks for group in self.groups if projection in group.projections)
        return FoldGroup(projection.name, (projection,), parks=parks)

    @property
    def topics_read(self) -> list[str]:
        """Every topic that some handler reads, without prefix."""
        return sorted({topic for handler in self.handlers for topic in handler.topics})

    def projection(self, name: str) -> Projection:
        """The projection of this name. Raises `NotFound`, which lists the known ones."""
        for projection in self.projections:
            if projection.name == name:
                return projection
        known = ", ".join(sorted(one.name for one in self.projections)) or "none"
        raise NotFound(f"{self.name} has no projection {name}; it has {known}", projection=name)

    async def connect(self) -> Connection:
        """A connection in autocommit mode."""
        return await sessions.connect(self.database_url)

    async def existing_topics(self) -> dict[str, int]:
        """Every topic on Kafka with its number of partitions. Raises `KafkaError`."""
        return await topics.existing_topics(self.brokers)

    async def prepare_topic(self, name: str, partitions: int) -> None:
        """Create the topic (named with prefix) unless it exists. Raises `TopicMisconfigured` and `KafkaError`."""
        await topics.prepare_topics(self.brokers, [name], partitions=partitions, replication=self.topic_replication)

    async def continues_at(self, place: tuple[str, int], seq: int) -> int | None:
        """The offset of a partition from which on there are only records above a number; see `witness.continues_at`.
        Raises `KafkaError`."""
        return await witness.continues_at(self.brokers, place, seq, 0)

    def producer(self, purpose: str) -> AIOKafkaProducer:
        """A producer of this process with the relay's settings. Not started."""
        return Producer(self.brokers, f"{self.name}-{purpose}-{socket.gethostname()}-{os.getpid()}")

    def consumer(self, purpose: str, partition_fetch_bytes: int) -> AIOKafkaConsumer:
        """A consumer that is told what to read and where to begin. Its group, named for `purpose`, is only for lag
        monitoring. Not started."""
        return AIOKafkaConsumer(
            **self.brokers.client(),
            group_id=f"{self.group}.{purpose}",
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=partition_fetch_bytes,
        )


def load(app: str) -> Deployment:
    """The deployment that `module:function` returns. Raises `NoSuchApp`, and `NotConfigured` if settings are
    missing."""
    module, _, name = app.partition(":")
    try:
        make: Callable[[], Deployment] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as failure:
        raise NoSuchApp(app, str(failure)) from failure
    try:
        return make()
    except (ValueError, OSError) as failure:
        raise NotConfigured(app, str(failure)) from failure
