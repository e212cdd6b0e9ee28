"""The definition of a service, and the parts from which its process is wired."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from contracts.avro import AvroCodec
from contracts.registry import avro_codec
from eventfold import Connection, EventCodec, EventStore, FoldGroup, Pool, Process, Projection, SubjectKeys
from eventfold.publish.publisher import Publisher, ToPublic
from eventfold.sealing.keys import KeyEncryptionKeys
from servicekit import database
from servicekit.background import Work
from servicekit.call import callers_deadline_s
from servicekit.closing import Closing
from servicekit.histories import OwnHistory
from servicekit.key_commands import idempotency_ring, kek_ring
from servicekit.policy import Policies
from servicekit.reading import Sequenced
from servicekit.rotation import KeyKind
from servicekit.settings import ServiceSettings

BUILT_IN_ROLES = ("prepare", "serve", "work", "relay", "keys")
"""The roles and commands that every service has."""


class RoleNameTaken(ValueError):
    """Two roles or commands of a service have the same name."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"more than one role or command has the name {', '.join(names)}")


@dataclass(frozen=True)
class Wiring:
    """The parts from which a service's adapters are made, wired once per process.

    Commands use `pool`, pure reads use `queries`. Resources opened for the process are added to `closing`.
    """

    definition: ServiceDefinition
    settings: Any
    pool: Pool
    store: EventStore
    publisher: Publisher
    avro: AvroCodec
    subject_keys: SubjectKeys
    rng: random.Random
    wake_relay: Callable[[], None]
    idempotency_secrets: Callable[[], Sequence[bytes]]
    queries: Pool
    sequenced: Sequenced = field(default_factory=Sequenced)
    history: OwnHistory = field(default_factory=OwnHistory)
    closing: Closing = field(default_factory=Closing)

    async def connect(self) -> Connection:
        """A new connection, in autocommit mode."""
        return await database.connect(self.settings.database_url)

    def projection_topics(self) -> dict[str, tuple[str, ...]]:
        """The service's projections and the topics, with prefix, that each reads."""
        prefix = self.settings.topic_prefix
        return {one.name: tuple(prefix + topic for topic in one.topics) for one in self.definition.projections}


Works = Callable[[Wiring], Mapping[str, Work]]
"""Makes background tasks, by name, from the parts of a process."""


@dataclass(frozen=True)
class ServiceDefinition:
    """The definition of a service: the runtime does the rest.

    `topics` are those that it emits on. `groups` are its groups of folds. `register` adds its servicers to a server and
    returns their full names; `policies` has the policies of each name. `background` names the tasks that run beside the
    server until it has drained (see `servicekit.background`). `further` are its further roles: processes that run only
    the named tasks, until they are stopped (see `servicekit.runtime.further`). `commands` are for operators; they get
    the rest of the command line. `linger_s` is for folds that need not be up to date at once (see
    `eventfold.fold.worker.fold_app`). `key_kinds` returns, for its settings, the kinds of its own keys that can be
    replaced.

    Raises `RoleNameTaken` if a further role or command has the name of another, or of one that every service has.
    """

    name: str
    settings: type[ServiceSettings]
    migrations: Path
    codec: EventCodec
    to_public: ToPublic
    register: Callable[[Wiring, grpc.aio.Server], Awaitable[Sequence[str]]]
    policies: Mapping[str, Policies] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    groups: tuple[FoldGroup, ...] = ()
    linger_s: float = 0.0
    background: Works = field(default=lambda _: {})
    further: Mapping[str, Works] = field(default_factory=dict)
    commands: Mapping[str, Callable[[ServiceDefinition, Any, Sequence[str]], None]] = field(default_factory=dict)
    key_kinds: Callable[[Any], Sequence[KeyKind]] = field(default=lambda _: ())

    def __post_init__(self) -> None:
        named = Counter([*BUILT_IN_ROLES, *self.commands, *self.further])
        if taken := [name for name, times in named.items() if times > 1]:
            raise RoleNameTaken(taken)

    @property
    def projections(self) -> tuple[Projection, ...]:
        """The projections of all groups of folds."""
        return tuple(one for group in self.groups for one in group.projections)

    @property
    def processes(self) -> tuple[Process, ...]:
        """The processes of all groups of folds."""
        return tuple(one for group in self.groups for one in group.processes)

    @property
    def source(self) -> str:
        """`ce_source` of everything that the service publishes."""
        return f"/lyceum/{self.name}"

    @property
    def relay_name(self) -> str:
        """The name of the lease under which the service's relay leads."""
        return f"relay.{self.name}"


def wire(
    definition: ServiceDefinition,
    settings: Any,
    pool: Pool,
    wake_relay: Callable[[], None],
    queries: Pool | None = None,
) -> Wiring:
    """The process's parts. Reads or makes key files, and asks the schema registry if there is one; opens nothing.

    Without `queries`, reads use `pool` too.
    """
    avro = avro_codec(settings.schema_registry_url)
    publisher = Publisher(definition.source, definition.to_public, avro, settings.topic_prefix)
    rng = random.Random()  # noqa: S311 - jitter only
    keks, fingerprints = kek_ring(settings.key_dir), idempotency_ring(settings.key_dir)
    fingerprints.reload()
    return Wiring(
        definition=definition,
        settings=settings,
        pool=pool,
        publisher=publisher,
        avro=avro,
        rng=rng,
        store=EventStore(pool, definition.codec, publisher, rng, queries, callers_deadline_s),
        queries=queries or pool,
        subject_keys=SubjectKeys(KeyEncryptionKeys(keks.keys, keks.reload), os.urandom),
        wake_relay=wake_relay,
        idempotency_secrets=fingerprints.keys,
    )
