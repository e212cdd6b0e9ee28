"""The vocabulary of the read side: public records, read tables and projections. All of it is pure.

A projection names the rows that a batch of events needs (`keys`) and says how they change (`fold`). The runtime loads
the rows with one query per table, folds the batch in memory, and writes the changes with one statement per table,
together with the position after the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import (
    Any,
    Final,
    Generic,
    NamedTuple,
    Protocol,
)

from eventfold.fold.merging import TableMerge
from eventfold.fold.tables import Key, ReadTable, Row
from eventfold.vocabulary.decider import Item
from eventfold.vocabulary.public import Data, PublicType

TYPE_HEADER: Final = "ce_type"


class ConsumedRecord(Protocol):
    """The attributes of a Kafka record that the runtime needs. aiokafka's records have them."""

    @property
    def offset(self) -> int:
        """Its offset on the partition."""

    @property
    def key(self) -> bytes | None:
        """The partition key."""

    @property
    def value(self) -> bytes | None:
        """The framed value."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Names and values, in order."""


class KeptRecord(NamedTuple):
    """A `ConsumedRecord` that does not come from a consumer."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class PublicRecord(Generic[Data]):
    """A public event as a fold sees it, with `data` decoded to the newest minor.

    The envelope fields are read from the headers on first use, because a fold uses few of them.
    """

    __slots__ = ("_headers", "_record", "_seq", "data", "partition", "topic")

    def __init__(
        self,
        topic: str,
        partition: int,
        record: ConsumedRecord,
        data: Data,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        """`headers` are those of the record, where they are known already."""
        self.topic = topic
        self.partition = partition
        self.data = data
        self._record = record
        self._headers = headers
        self._seq = 0

    @property
    def offset(self) -> int:
        """Its offset on the partition."""
        return self._record.offset

    @property
    def key(self) -> str:
        """The partition key; empty if the record has none. Keys that are not text PostgreSQL accepts do not come from a
        relay: their bytes are escaped."""
        return (self._record.key or b"").decode("utf-8", "backslashreplace").replace("\x00", "\\x00")

    @property
    def value(self) -> bytes:
        """`data` as it was written, encoded."""
        return self._record.value or b""

    @property
    def headers(self) -> Mapping[str, bytes]:
        """All headers. If several have the same name, the last one counts."""
        if self._headers is None:
            self._headers = dict(self._record.headers)
        return self._headers

    @property
    def seq(self) -> int:
        """`ce_sequence`: the event's number, from 1, in the service that emitted it."""
        if not self._seq:
            self._seq = int(self.headers["ce_sequence"])
        return self._seq

    @property
    def previous(self) -> int:
        """The number of the record before it on its partition, as its relay wrote it; 0 if the relay did not."""
        return int(self.headers.get("ce_previoussequence", b"0"))

    def follows(self, seq: int) -> bool:
        """Whether the relay says that no record lies between the event numbered `seq` and this one on its partition."""
        return "ce_previoussequence" in self.headers and self.previous <= seq

    @property
    def history(self) -> str | None:
        """The history of its store in which the event was numbered (`eventfold.publish.history`)."""
        value = self.headers.get("ce_history")
        return value.decode() if value else None

    @property
    def type(self) -> str:
        """`ce_type`."""
        return self.headers[TYPE_HEADER].decode()

    def of(self, *types: PublicType[Any]) -> bool:
        """Whether it has one of these types."""
        return self.headers[TYPE_HEADER] in [one.header for one in types]

    @property
    def id(self) -> str:
        """`ce_id`: the same for every delivery of the same event."""
        return self.headers["ce_id"].decode()

    @property
    def source(self) -> str:
        """`ce_source`: the service that emitted it."""
        return self.headers.get("ce_source", b"").decode()

    @property
    def stream(self) -> str:
        """`ce_subject`: the stream that recorded the event."""
        return self.headers["ce_subject"].decode()

    @property
    def version(self) -> int:
        """`ce_aggregateversion`: the event's number in its stream, from 1."""
        return int(self.headers["ce_aggregateversion"])

    @property
    def occurred_at(self) -> datetime:
        """Business time, UTC."""
        return datetime.fromisoformat(self.headers["ce_time"].decode())

    @property
    def recorded_at(self) -> datetime:
        """When the event was recorded, UTC: later than `occurred_at` for what is imported. Older records do not say;
        then the same as `occurred_at`."""
        return datetime.fromisoformat(self.headers.get("ce_recordedtime", self.headers["ce_time"]).decode())

    @property
    def recorded_later(self) -> bool:
        """Whether `recorded_at` is another instant than `occurred_at`. Cheaper than to compare them."""
        return self.headers.get("ce_recordedtime", self.headers["ce_time"]) != self.headers["ce_time"]

    @property
    def correlation_id(self) -> str:
        """The id that the whole chain of cause and effect shares; the event's own id if it has none."""
        return self.headers.get("ce_correlationid", self.headers["ce_id"]).decode()

    @property
    def traceparent(self) -> str | None:
        """The span that caused the event, as its recorder wrote it."""
        value = self.headers.get("traceparent")
        return value.decode("ascii", "replace") if value else None

    @property
    def backfill(self) -> bool:
        """Whether an import recorded the event with a past business time."""
        return self.headers.get("ce_backfill") == b"true"


Rows = Mapping[str, Mapping[Key, Any]]
Changes = Mapping[str, Mapping[Key, Any]]


class Draft:
    """Rows that one fold is changing. Reads see earlier writes; `changes()` is the result of the fold."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._changes: dict[str, dict[Key, Any]] = {}

    def get(self, table: ReadTable[Row], key: Key) -> Row | None:
        """The present row of `key`; None if there is none."""
        changed = self._changes.get(table.name)
        if changed is not None and key in changed:
            row: Row | None = changed[key]
            return row
        return self._rows[table.name].get(key)

    def put(self, table: ReadTable[Row], row: Row) -> None:
        """Insert or replace a row."""
        self._changes.setdefault(table.name, {})[table.key(row)] = row

    def delete(self, table: ReadTable[Row], key: Key) -> None:
        """Remove the row of `key`, if there is one."""
        self._changes.setdefault(table.name, {})[key] = None

    def changes(self) -> Changes:
        """Table name -> key -> new row, or None for a deleted one."""
        return self._changes


Keys = Callable[[Sequence[PublicRecord[Any]]], Mapping[str, Iterable[Key]]]
Fold = Callable[[Rows, Sequence[PublicRecord[Any]]], Changes]
On = tuple[PublicType[Any], ...]
"""The types of events that a handler receives; events of other types never reach it."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A pure fold of public events into rows. This is the general form; `declared.projection` makes most of them.

    `fold` gets the rows of `keys(events)`. Its result must not depend on how partitions and topics interleave. It may
    raise `Poison` for a record that it can never apply, and `FoldHalts` if it can apply no record at all. Its group
    decides how to treat these and all other failures. `partition_local` promises that no row is changed by two
    partitions; without it, workers take turns. `built_under` has the settings (name and value, as in the environment)
    that decide what `fold` puts into rows. They are recorded beside the rows, so none may be secret, and a process with
    other values is refused (`BuiltUnderOther`).

    `merges` say the same as `fold`, table by table, for batches that are applied as sets; nothing if it cannot be said
    so (`eventfold.fold.merging`).
    """

    name: str
    on: On
    tables: tuple[ReadTable[Any], ...]
    keys: Keys
    fold: Fold
    partition_local: bool = False
    built_under: Mapping[str, str] = field(default_factory=dict, hash=False)
    merges: tuple[TableMerge, ...] = field(default=(), compare=False)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of its types, without prefix."""
        return _topics(self.on)


@dataclass(frozen=True, slots=True)
class Process:
    """A process manager: pure `react(event)` returns the commands that follow from an event of the types `on`.

    The resulting events and the position of the process are recorded in one transaction, so each reaction happens
    exactly once. Deciders must not refuse these commands: a refused one halts the worker.
    """

    name: str
    on: On
    react: Callable[[PublicRecord[Any]], Sequence[Item]]

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of its types, without prefix."""
        return _topics(self.on)


Handler = Projection | Process
"""A consumer of events."""


@dataclass(frozen=True)
class FoldGroup:
    """Handlers that share a fate: they are applied in one transaction, and fail together.

    If a projection of a group that `parks` cannot fold a record, the group parks it and the later records of its key,
    and goes on. If it cannot go on at all, only this group stands still. A group that does not park (money,
    entitlement, consent, erasure, and every process) halts the worker instead. Raises TypeError for a process in a
    group that parks.
    """

    name: str
    projections: tuple[Projection, ...] = ()
    processes: tuple[Process, ...] = ()
    parks: bool = False

    def __post_init__(self) -> None:
        if self.parks and self.processes:
            raise TypeError(
                f"group {self.name}: what a process reacts to cannot be left out; give it a group that halts"
            )

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """All handlers of the group."""
        return (*self.projections, *self.processes)


def _topics(types: On) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.topic for one in types))


def given(handler: Handler, events: Sequence[PublicRecord[Any]]) -> list[PublicRecord[Any]]:
    """The events whose types the handler names."""
    wanted = frozenset(one.header for one in handler.on)
    return [event for event in events if event.headers.get(TYPE_HEADER) in wanted]


def settings_of(handlers: Iterable[Handler]) -> Mapping[str, Mapping[str, str]]:
    """The settings under which each projection among the handlers folds, for those that depend on some."""
    return {one.name: one.built_under for one in handlers if isinstance(one, Projection) and one.built_under}


def turn(handler: Handler, topic: str, partition: int) -> str:
    """The lock name for a change of a handler's rows: the handler, or its partition if its rows are partition-local."""
    local = isinstance(handler, Projection) and handler.partition_local
    return f"{handler.name}|{topic}|{partition}" if local else handler.name
