"""The fold runtime: applies batches of records to projections and processes, exactly once each.

Rows, reactions and the consumed position are written in one transaction. The position stored there, not Kafka's
committed offset, says what comes next; whoever holds the records may apply them, and a second application finds the
position moved and writes nothing. Knows nothing of Faust: `worker` feeds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import orjson

from eventfold import crossing, telemetry
from eventfold.deadletter import held_keys, park
from eventfold.decider import Context, Item
from eventfold.errors import OffsetGap, Poison, StalePosition
from eventfold.publish import Avro
from eventfold.readmodel import Changes, Projection, PublicRecord, Rows
from eventfold.store import Connection, EventStore, Pool


class ConsumedRecord(Protocol):
    """What the runtime needs of a Kafka record (aiokafka's `ConsumerRecord` has it)."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class PartitionBatch(NamedTuple):
    """A contiguous run of records of one partition, as fetched."""

    topic: str
    partition: int
    records: Sequence[ConsumedRecord]


Run = Sequence[PublicRecord]
"""Decoded records of one partition, without a gap."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process manager: pure `react(event)` names the commands that an event calls for.

    Their events and the process's position are recorded in one transaction, so each reaction happens exactly once.
    Commands must be answerable by deciders without refusal: a refused one halts the worker.
    """

    name: str
    topics: tuple[str, ...]
    react: Callable[[PublicRecord], Sequence[Item]]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a handler has come on one partition: everything below `next_offset`, and up to `seq`, is applied.

    Where a closing record was met, the partition is `closed`: nothing that comes after it counts.
    """

    next_offset: int
    seq: int
    closed: bool = False


IDLE_IN_TRANSACTION_MS = 5000
"""How long a stopped worker may keep its turns from others. Folding a batch in memory takes far less."""

# Named with the schema, for a shadow of the same projection has turns of its own.
_TURNS = """WITH bound AS MATERIALIZED (SELECT set_config('idle_in_transaction_session_timeout', %s, true))
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '|fold|' || t.turn, 0))
FROM bound, unnest(%s::text[]) AS t(turn)"""

_POSITIONS = """SELECT topic, partition, next_offset, seq, closed FROM fold_position
JOIN unnest(%s::text[], %s::int[]) AS w(topic, partition) USING (topic, partition) WHERE projection = %s"""

_START = """SELECT w.topic, w.partition, min(coalesce(p.next_offset, 0))
FROM unnest(%s::text[], %s::text[], %s::int[]) AS w(projection, topic, partition)
LEFT JOIN fold_position p USING (projection, topic, partition) GROUP BY w.topic, w.partition"""

_MOVE = """INSERT INTO fold_position AS p (projection, topic, partition, next_offset, seq, occurred_at, applied_at)
VALUES (%(name)s, %(topic)s, %(partition)s, %(next_offset)s, %(seq)s, %(occurred_at)s, clock_timestamp())
ON CONFLICT (projection, topic, partition) DO UPDATE
SET next_offset = EXCLUDED.next_offset, seq = EXCLUDED.seq, occurred_at = EXCLUDED.occurred_at,
    applied_at = EXCLUDED.applied_at
WHERE p.next_offset = %(expected)s"""


class FoldRunner:
    """Applies batches to every handler that reads their topics.

    `store` is needed only when there are processes. Topics are named with `topic_prefix` on Kafka, and are read in
    generation 1 unless `follow` says otherwise.
    """

    def __init__(
        self, *, worker: str, pool: Pool, avro: Avro, projections: Sequence[Projection],
        processes: Sequence[Process] = (), store: EventStore | None = None, topic_prefix: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._worker = worker
        self._pool = pool
        self._avro = avro
        self._store = store
        self._clock = clock
        handlers: list[Projection | Process] = [*projections, *processes]
        self._ordered = sorted(handlers, key=lambda handler: handler.name)
        self._prefix = topic_prefix
        self.follow({})

    def follow(self, names: Mapping[tuple[str, str], str]) -> None:
        """Read from now on the generations that `names` gives, by (handler, topic with prefix); see `crossing`."""
        self._names = {(handler, topic): names.get((handler, topic), topic) for handler, topic in self.wanted}
        self._handlers: dict[str, list[Projection | Process]] = {}
        self._read: dict[str, set[str]] = {}
        self._crossed = False
        for handler in self._ordered:
            self._read[handler.name] = {name for (one, _), name in self._names.items() if one == handler.name}
            for name in sorted(self._read[handler.name]):
                self._handlers.setdefault(name, []).append(handler)

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """Each handler with each topic, with prefix, that it reads."""
        return [(handler.name, self._prefix + topic) for handler in self._ordered for topic in handler.topics]

    @property
    def names(self) -> crossing.Names:
        """What it follows: the topic on Kafka by handler and topic with prefix."""
        return self._names

    @property
    def topics(self) -> list[str]:
        """Every topic on Kafka that some handler reads."""
        return sorted(self._handlers)

    @property
    def crossed(self) -> bool:
        """Whether a handler has gone over to another topic since the last `follow`: it is time to follow anew."""
        return self._crossed

    async def start_offsets(self, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Where to start reading each partition: the lowest stored position of its handlers, 0 where one is new."""
        wanted = [(one.name, topic, partition) for topic, partition in partitions for one in self._handlers[topic]]
        async with self._pool.connection() as conn:
            cursor = await conn.execute(_START, [list(column) for column in zip(*wanted, strict=True)])
            return {(topic, partition): offset for topic, partition, offset in await cursor.fetchall()}

    async def apply(self, batches: Sequence[PartitionBatch]) -> None:
        """Decode and apply one contiguous run of records of each of several partitions; see `apply_decoded`."""
        await self.apply_decoded(self.decode(batches))

    def decode(self, batches: Sequence[PartitionBatch]) -> list[Run]:
        """The public records of each batch. Raises what the Avro codec raises, on an unknown fingerprint say."""
        return [
            [self._decode(batch.topic, batch.partition, one) for one in crossing.up_to_closing(batch.records)]
            for batch in batches
        ]

    async def apply_decoded(self, runs: Sequence[Run]) -> None:
        """Apply runs of several partitions in one transaction.

        Raises `OffsetGap` when records are missing before a run, `StalePosition` when another worker moved on
        meanwhile, and whatever a handler that halts raised; nothing of the runs is then written.
        """
        started = time.perf_counter()
        places = [_place(run) for run in runs]
        async with self._pool.connection() as conn, conn.transaction():
            await take_turns(conn, {turn(one, *place) for place in places for one in self._handlers[place[0]]})
            for handler in self._reading({topic for topic, _ in places}):
                await self._advance(conn, handler, [run for run in runs if run[0].topic in self._read[handler.name]])
            moved_on = await self._cross(conn, [run for run in runs if crossing.is_closing(run[-1])])
        self._crossed = self._crossed or moved_on
        telemetry.FOLD_BATCH_SECONDS.labels(self._worker).observe(time.perf_counter() - started)

    async def _cross(self, conn: Connection, closing: Sequence[Run]) -> bool:
        """Close what has come to its end; whether a handler goes on at the next generation."""
        crossed = False
        for run in closing:
            for handler in self._handlers[run[0].topic]:
                crossed |= await crossing.close(conn, handler.name, run[-1])
        return crossed

    def _reading(self, topics: set[str]) -> list[Projection | Process]:
        """The handlers of these topics, each once, in name order."""
        found = {handler.name: handler for topic in topics for handler in self._handlers[topic]}
        return [found[name] for name in sorted(found)]

    def _decode(self, topic: str, partition: int, record: ConsumedRecord) -> PublicRecord:
        value = record.value or b""
        return PublicRecord(
            topic, partition, record.offset, (record.key or b"").decode(), dict(record.headers), value,
            orjson.loads(value) if record.key is None and crossing.closes(record) else self._avro.decode(value),
        )  # fmt: skip

    async def _advance(self, conn: Connection, handler: Projection | Process, runs: Sequence[Run]) -> None:
        positions = await _stored(conn, handler.name, runs)
        runs = [run for run in runs if not positions[_place(run)].closed]
        fresh = [event for run in runs for event in _not_applied(positions[_place(run)], run)]
        if fresh:
            if isinstance(handler, Process):
                await self._react(conn, handler, fresh)
            else:
                await _project(conn, handler, fresh)
        telemetry.FOLD_EVENTS.labels(handler.name).inc(len(fresh))
        telemetry.FOLD_DUPLICATES.labels(handler.name).inc(sum(map(len, runs)) - len(fresh))
        for run in runs:
            await _move(conn, handler.name, positions[_place(run)], run)

    async def _react(self, conn: Connection, process: Process, events: Sequence[PublicRecord]) -> None:
        if self._store is None:
            raise TypeError("a worker with processes needs the event store")
        items = [item for event in events for item in process.react(event)]
        if not items:
            return
        context = Context(now=self._clock(), actor=process.name, correlation_id=events[0].correlation_id)
        items = [_recorded_now(item, context) for item in items]
        outcomes, _ = await self._store.decide(conn, items, context)
        for outcome in outcomes:
            if outcome.error:
                raise outcome.error


def check_within(
    offsets: Mapping[tuple[str, int], int], beginnings: Mapping[Any, int], ends: Mapping[Any, int]
) -> None:
    """Raise `OffsetGap` where a partition does not hold the next offset: Kafka would reset the position by itself."""
    for (topic, partition), offset in offsets.items():
        bounded = min(max(offset, beginnings[topic, partition]), ends[topic, partition])
        if bounded != offset:
            raise OffsetGap(topic, partition, offset, bounded)


def turn(handler: Projection | Process, topic: str, partition: int) -> str:
    """What whoever changes a handler's rows holds while doing so: the handler, or its partition if rows stay there."""
    local = isinstance(handler, Projection) and handler.partition_local
    return f"{handler.name}|{topic}|{partition}" if local else handler.name


async def take_turns(conn: Connection, turns: Collection[str]) -> None:
    """Wait for these turns, in one order for all, and keep them until the transaction ends.

    PostgreSQL ends a transaction that then stands idle for `IDLE_IN_TRANSACTION_MS`: its process is stopped, and
    others wait.
    """
    await conn.execute(_TURNS, [str(IDLE_IN_TRANSACTION_MS), sorted(turns)])


def _recorded_now(item: Item, context: Context) -> Item:
    """The item with the worker's clock as recording time; business time and cause stay what the reaction says."""
    return item if item.context is None else replace(item, context=replace(item.context, now=context.now))


def _place(run: Run) -> tuple[str, int]:
    return run[0].topic, run[0].partition


async def _stored(conn: Connection, name: str, runs: Sequence[Run]) -> dict[tuple[str, int], Position]:
    """The handler's position on the partition of each run."""
    places = [_place(run) for run in runs]
    cursor = await conn.execute(_POSITIONS, [*(list(c) for c in zip(*places, strict=True)), name])
    found = {(topic, partition): Position(*position) for topic, partition, *position in await cursor.fetchall()}
    return {place: found.get(place, Position(0, 0)) for place in places}


def _not_applied(position: Position, events: Sequence[PublicRecord]) -> list[PublicRecord]:
    """The events above the position, checked for contiguity and stripped of redelivered ones."""
    first = events[0]
    if first.offset > position.next_offset:
        raise OffsetGap(first.topic, first.partition, position.next_offset, first.offset)
    fresh: list[PublicRecord] = []
    highest = position.seq
    for event in events:
        if event.seq > highest:
            if event.offset < position.next_offset:
                raise OffsetGap(event.topic, event.partition, position.next_offset, event.offset)
            highest = event.seq
            fresh.append(event)
    if fresh and crossing.is_closing(fresh[-1]):
        fresh.pop()
    return fresh


async def _move(conn: Connection, name: str, position: Position, events: Sequence[PublicRecord]) -> None:
    last = events[-1]
    if last.offset < position.next_offset:
        return
    moved = await conn.execute(
        _MOVE,
        {
            "name": name, "topic": last.topic, "partition": last.partition, "next_offset": last.offset + 1,
            "seq": max(position.seq, *(event.seq for event in events)), "occurred_at": last.occurred_at,
            "expected": position.next_offset,
        },
    )  # fmt: skip
    if moved.rowcount != 1:
        telemetry.FOLD_STALE.labels(name).inc()
        raise StalePosition(name, last.topic, last.partition)
    telemetry.FOLD_POSITION.labels(name, last.topic, str(last.partition)).set(last.offset + 1)


async def _project(conn: Connection, projection: Projection, events: Sequence[PublicRecord]) -> None:
    """Fold the events, parking poison (and what must wait behind it) unless the projection halts."""
    held = set() if projection.halts else await held_keys(conn, projection.name, {event.key for event in events})
    waiting = [event for event in events if event.key in held]
    if waiting:
        await park(conn, projection.name, waiting, "waits behind a parked record of its key")
    folding = [event for event in events if event.key not in held]
    while folding:
        try:
            await write_changes(conn, projection, projection.fold(await load_rows(conn, projection, folding), folding))
            return
        except Poison as poison:
            if projection.halts:
                raise
            folding = await _park_poison(conn, projection.name, folding, poison)


async def _park_poison(
    conn: Connection, name: str, events: Sequence[PublicRecord], poison: Poison
) -> list[PublicRecord]:
    """Park the named record and all later ones of its key; returns what is left to fold."""
    at = next(index for index, event in enumerate(events) if event.id == poison.event_id)
    behind = [event for event in events[at + 1 :] if event.key == events[at].key]
    await park(conn, name, [events[at]], poison.reason)
    await park(conn, name, behind, "waits behind a parked record of its key")
    parked = {events[at].id, *(event.id for event in behind)}  # offsets repeat across the partitions of a fetch
    return [event for event in events if event.id not in parked]


async def load_rows(conn: Connection, projection: Projection, events: Sequence[PublicRecord]) -> Rows:
    """The rows that the projection names for these events, one query per table."""
    wanted = projection.keys(events)
    rows: dict[str, Mapping[Any, Any]] = {}
    for table in projection.tables:
        keys = list(dict.fromkeys(wanted.get(table.name, ())))
        found: list[Any] = []
        if keys:
            found = await (await conn.execute(table.load_sql, table.arrays(keys))).fetchall()
        typed = [table.row_class._make(row) for row in found]
        rows[table.name] = {table.key(row): row for row in typed}
    return rows


async def write_changes(conn: Connection, projection: Projection, changes: Changes) -> None:
    """Write what a fold changed, one statement per table and kind, sorted by key so that writers lock in one order."""
    for table in projection.tables:
        changed = changes.get(table.name, {})
        in_order = sorted(changed)
        upserts = [row for key in in_order if (row := changed[key]) is not None]
        deletes = [key for key in in_order if changed[key] is None]
        if upserts:
            await conn.execute(table.upsert_sql, table.arrays(upserts))
        if deletes:
            await conn.execute(table.delete_sql, table.arrays(deletes))
