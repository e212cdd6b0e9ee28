"""The vocabulary of the write side: deciders, stream types and the events that they record. All of it is pure."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")

EVENT_ID_NAMESPACE = uuid.UUID("5f0f6a3e-6d0d-5c58-9d6c-2f7f3b1f6c11")


def event_id(stream: str, version: int, salt: str = "") -> uuid.UUID:
    """The id of an event: a function of its place, so that a retried append or a resent record keeps its id.

    After a store was restored, another event may get the same place. `salt` tells them apart: it is that of the event's
    history.
    """
    return uuid.uuid5(EVENT_ID_NAMESPACE, f"{salt}/{stream}/{version}" if salt else f"{stream}/{version}")


@dataclass(frozen=True, slots=True)
class Decider(Generic[C, S, E]):
    """How one kind of stream takes decisions.

    `decide(command, state)` returns the events that the command causes, or raises a `DomainError`. No events means that
    there is nothing to do; a repeated command is answered in this way. `evolve(state, event)` returns the next state,
    and never fails on an event that was once recorded. Both are pure: time, ids and randomness arrive inside the
    command.
    """

    initial: S
    decide: Callable[[C, S], Sequence[E]]
    evolve: Callable[[S, E], S]

    def fold(self, events: Sequence[E], state: S | None = None) -> S:
        """State after `events`, in order, from `state` (default: the initial one)."""
        current = self.initial if state is None else state
        for event in events:
            current = self.evolve(current, event)
        return current


def own_id(stream_id: str) -> str:
    """The default partition key: the stream's own id."""
    return stream_id


@dataclass(frozen=True, slots=True)
class SnapshotPolicy:
    """How snapshots of long streams are kept: written after every `every_events` events, in the transaction of the
    events.

    Raise `schema_version` whenever the state's class or `evolve` changes: older snapshots are then ignored, and
    replaced as their streams grow.
    """

    state_type: Any
    schema_version: int
    every_events: int = 100


@dataclass(frozen=True, slots=True)
class DueDate:
    """The effect of an event on its stream's due date: `at` (UTC) sets or moves it, None cancels it."""

    at: datetime | None


NOTHING_DUE = DueDate(None)


@dataclass(frozen=True, slots=True)
class StreamType(Generic[C, S, E]):
    """A kind of stream: its category name, its decider, its partitioning, and whether its writers queue up.

    `partition_key` maps a stream id to the record key that all events of the stream share. A `hot` stream is written by
    many at once (a promotion's cap, stock, seats): its writers take a lock instead of colliding. `snapshots` stores
    states of the stream beside its events. `remembered` keeps the state in the memory of the process that last decided
    on the stream (hot and snapshotted streams always are): for streams with small states and many decisions. `due` says
    for each event how it changes the stream's due date, which is when the stream is to be looked at next; None leaves
    the date as it is. The date is stored in the event's transaction.
    """

    name: str
    decider: Decider[C, S, E]
    partition_key: Callable[[str], str] = own_id
    hot: bool = False
    snapshots: SnapshotPolicy | None = None
    remembered: bool = False
    due: Callable[[Recorded], DueDate | None] | None = None

    def at(self, stream_id: str) -> Address:
        """The stream of this id."""
        return Address(self, stream_id)

    def stream(self, stream_id: str) -> str:
        """Full stream name, `<type>-<id>`."""
        return f"{self.name}-{stream_id}"


NO_STREAM = 0
"""The version of a stream without events."""
ANY_VERSION = None
"""Decide the command at any version, and decide again if another writer came first."""


@dataclass(frozen=True, slots=True)
class Address:
    """The place of one stream: its type and its id."""

    stream_type: StreamType[Any, Any, Any]
    stream_id: str

    @property
    def stream(self) -> str:
        """The stream's full name."""
        return self.stream_type.stream(self.stream_id)


@dataclass(frozen=True, slots=True)
class Ask(Address):
    """One command addressed to one stream.

    `new` says that the caller has just made up the stream's id: the first attempt then decides from the initial state
    without reading. If the stream does exist, the append collides, and the next attempt reads it.

    `expected` is the version at which the command is to be decided: `NO_STREAM`, an exact number of events, or
    `ANY_VERSION`. At another version the item is refused with `UnexpectedVersion`, even if there would be nothing to
    do. To send such a command again, an idempotency key is needed: without a key, the command's own success has moved
    the version.
    """

    command: Any
    new: bool = False
    expected: int | None = ANY_VERSION


@dataclass(frozen=True, slots=True)
class Context:
    """The circumstances of a decision, recorded with its events.

    `now` is the recording time (UTC). `occurred_at` is business time, and differs from `now` only for imports
    (`backfill`). `actor` is an opaque member or service id.
    """

    now: datetime
    actor: str
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None
    occurred_at: datetime | None = None
    backfill: bool = False

    def meta(self) -> dict[str, Any]:
        """The part that is stored beside each event, without empty entries."""
        entries = {
            "actor": self.actor,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "traceparent": self.traceparent,
            "backfill": self.backfill or None,
        }
        return {name: value for name, value in entries.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Item:
    """Commands that stand or fall together: either all their events are recorded or none.

    `context` replaces the batch's context for this item: imports give each item its business time, processes its cause.
    """

    asks: tuple[Ask, ...]
    context: Context | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as stored. `position` is the insert order, not the commit order; `seq` is the relay's dense sequence
    number."""

    stream: str
    version: int
    event: Any
    type: str
    partition_key: str
    occurred_at: datetime
    recorded_at: datetime
    meta: dict[str, Any] = field(default_factory=dict)
    position: int | None = None
    seq: int | None = None

    @property
    def id(self) -> uuid.UUID:
        """Deterministic event id (see `event_id`), for the store's first history."""
        return event_id(self.stream, self.version)
