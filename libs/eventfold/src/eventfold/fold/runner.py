"""The fold runtime: applies batches of records to projections and processes, exactly once each.

Rows, reactions and the new position are written in one transaction. The position stored there, not Kafka's committed
offset, says which record comes next. Any worker that holds the records may apply them: a second application finds that
the position has moved, and writes nothing. This module knows nothing of Faust; `worker` feeds it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from opentelemetry.trace import SpanKind

from eventfold import telemetry, tracing
from eventfold.errors import RecordsMissing
from eventfold.fold import crossing, positions, regaining
from eventfold.fold.deadletter import held_keys
from eventfold.fold.passing import LOST_PLACE, PASSING, of_one_record
from eventfold.fold.positions import Move, take_turns
from eventfold.fold.projecting import project
from eventfold.fold.readmodel import (
    ConsumedRecord,
    FoldGroup,
    Handler,
    Process,
    Projection,
    PublicRecord,
    given,
    settings_of,
    turn,
)
from eventfold.fold.runs import Columns, Fresh, PartitionBatch, Run
from eventfold.fold.sets import Sets, write
from eventfold.postgres import built_under
from eventfold.postgres.sessions import Connection, Pool
from eventfold.publish import history, standing
from eventfold.publish.generations import Barrier
from eventfold.publish.history import Histories
from eventfold.publish.publisher import Avro
from eventfold.publish.witness import Look, opens
from eventfold.vocabulary.decider import Context, Item
from eventfold.vocabulary.public import TopicPartition
from eventfold.write.store import EventStore

if TYPE_CHECKING:
    from eventfold.fold.fetched import Grouped

log = logging.getLogger(__name__)

REACTING_RECORDS = 1000
"""Limit over all partitions together, for one transaction with a process."""

Standing = Mapping[tuple[str, TopicPartition], positions.Position]


class Misfit(NamedTuple):
    """A handler whose position does not fit the records on a partition."""

    handler: Handler
    place: TopicPartition
    position: positions.Position


Find = Callable[[TopicPartition, int, int], Awaitable[int | None]]
"""Given a partition, a number and a next offset, finds the offset at which to read on; see `witness.continues_at`."""


class FoldRunner:
    """Applies batches to every handler that reads their topics.

    `store` is needed only if there are processes. Topic names on Kafka begin with `topic_prefix`. Generation 1 is read
    unless `follow` says otherwise.
    """

    def __init__(
        self,
        *,
        worker: str,
        pool: Pool,
        avro: Avro,
        groups: Sequence[FoldGroup],
        store: EventStore | None = None,
        topic_prefix: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._worker = worker
        self._pool = pool
        self._avro = avro
        self._store = store
        self._clock = clock
        self._groups = groups
        self._still: set[str] = set()
        self._ordered = sorted((one for group in groups for one in group.handlers), key=lambda one: one.name)
        self._prefix = topic_prefix
        self._sets = Sets(avro, [one for group in groups for one in group.projections])
        self.follow({})

    def follow(self, names: Mapping[tuple[str, str], str]) -> None:
        """From now on, read the generations that `names` gives, by (handler, topic with prefix); see `crossing`."""
        self._names = {(handler, topic): names.get((handler, topic), topic) for handler, topic in self.wanted}
        self._handlers: dict[str, list[Handler]] = {}
        self._grouped: dict[tuple[str, str], list[Handler]] = {}
        self._read: dict[str, set[str]] = {}
        self._crossed = False
        for handler in self._ordered:
            self._read[handler.name] = {name for (one, _), name in self._names.items() if one == handler.name}
            for name in sorted(self._read[handler.name]):
                self._handlers.setdefault(name, []).append(handler)
        for group in self._groups:
            for name, readers in self._handlers.items():
                self._grouped[group.name, name] = [one for one in readers if one in group.handlers]

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """Each handler with each topic, with prefix, that it reads."""
        return [(handler.name, self._prefix + topic) for handler in self._ordered for topic in handler.topics]

    @property
    def names(self) -> crossing.Names:
        """The topics on Kafka that are followed, by handler and topic with prefix."""
        return self._names

    @property
    def topics(self) -> list[str]:
        """Every topic on Kafka that some handler reads."""
        return sorted(self._handlers)

    @property
    def standing_still(self) -> frozenset[str]:
        """The handlers of the groups that stand still on purpose, until the process starts anew."""
        return frozenset(one.name for group in self._groups if group.name in self._still for one in group.handlers)

    @property
    def crossed(self) -> bool:
        """Whether a handler has gone over to another topic since the last `follow`: then `follow` must be called
        again."""
        return self._crossed

    async def start_offsets(self, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Where to start reading each partition: the lowest stored position of its handlers, or 0 if one of them is
        new. Handlers that stand still count only if there are no others."""
        wanted = [
            (one.name, topic, partition)
            for topic, partition in partitions
            for one in self._moving(topic) or self._handlers[topic]
        ]
        async with self._pool.connection() as conn:
            return await positions.start(conn, wanted)

    async def misfits(self, partitions: Sequence[TopicPartition], look: Look) -> list[Misfit]:
        """The handlers whose positions do not fit the records now on the partitions. `look` reads single records."""
        async with self._pool.connection() as conn:
            standing = await self._standing(conn, self._ordered, partitions)
        at = [
            (handler, place, position)
            for place in partitions
            for handler in self._moving(place[0])
            if not (position := standing.get((handler.name, place), positions.START)).closed
        ]
        seen = await look(
            {
                (place, position.next_offset - n)
                for _, place, position in at
                for n in (0, 1)
                if position.next_offset >= n
            }
        )
        return [
            Misfit(handler, place, position)
            for handler, place, position in at
            if not regaining.fits(position, *(seen.get((place, position.next_offset - n)) for n in (1, 0)))
        ]

    async def find_again(self, misfit: Misfit, partitions: int, histories: Histories, find: Find) -> None:
        """Let a handler read a partition from the right offset, or fold anew if it has applied events that never
        happened. `partitions` and `histories` are the topic's. Raises `RecordsMissing`."""
        handler, place, position = misfit
        async with self._pool.connection() as conn, conn.transaction():
            if not regaining.holds(position, histories):
                await regaining.over(conn, handler, place[0], place[0], partitions, histories)
                return
        offset = await find(place, position.seq, position.next_offset)
        if offset is None:
            raise RecordsMissing(*place, position.seq, position.seq + 1, position.next_offset)
        async with self._pool.connection() as conn, conn.transaction():
            await take_turns(conn, {turn(handler, *place)})
            await positions.move_to(conn, handler.name, place, position, offset)

    async def over(
        self, conn: Connection, handler: str, old: str, new: str, partitions: int, histories: Histories
    ) -> None:
        """Let a handler go on at another generation, because the one that it read is gone."""
        one = next(one for one in self._ordered if one.name == handler)
        async with conn.transaction():
            await regaining.over(conn, one, old, new, partitions, histories)

    async def behind(self, ends: Mapping[TopicPartition, int]) -> dict[tuple[str, str, int], int]:
        """How many records of each partition each handler has yet to apply, by handler, topic and partition. `ends` are
        the offsets after the last record of each partition."""
        async with self._pool.connection() as conn:
            standing = await self._standing(conn, self._ordered, list(ends))
        at = {
            (handler.name, *place): standing.get((handler.name, place), positions.START)
            for place in ends
            for handler in self._handlers.get(place[0], ())
        }
        return {
            (name, topic, partition): max(0, ends[topic, partition] - position.next_offset)
            for (name, topic, partition), position in at.items()
            if not position.closed
        }

    async def apply(self, batches: Sequence[PartitionBatch]) -> None:
        """Decode and apply one contiguous run of records for each of several partitions; see `apply_decoded`."""
        await self.apply_decoded(self.decode(batches))

    def decode(self, batches: Sequence[PartitionBatch]) -> list[Run]:
        """The runs of these batches: as columns if all can be read so, and decoded for handlers that take events one by
        one. If a batch cannot be decoded (for example, because of an unknown fingerprint) and only groups that park
        read its topic, these groups stand still and the batch is left out. Otherwise raises what the Avro codec
        raises."""
        sets = self._sets.worth_it(batches)
        columns = self._sets.columns(batches) if sets else [None] * len(batches)
        runs = [
            run
            for batch, own in zip(batches, columns, strict=True)
            if (run := self._or_stand_still(batch.topic, partial(self._run, batch, own)))
        ]
        fetched = self._sets.read(runs, self._read) if sets else None
        for run in runs:
            run.fetched = fetched
        return [run for run in runs if self._is_merged(run) or self._or_stand_still(run.topic, run.decoded)]

    @property
    def merges_all(self) -> bool:
        """Whether every handler takes its events as sets."""
        return all(map(_merges, self._ordered))

    def _is_merged(self, run: Run) -> bool:
        return run.fetched is not None and all(map(_merges, self._handlers[run.topic]))

    def _or_stand_still(self, topic: str, make: Callable[[], Run]) -> Run | None:
        try:
            return make()
        except Exception as failure:  # noqa: BLE001 - it is raised again unless the groups may stand still
            for group in self._moving_groups({topic}):
                self._stand_still(group, failure)
            return None

    def _moving_groups(self, topics: Collection[str]) -> list[FoldGroup]:
        """The groups that read one of these topics and do not stand still."""
        return [
            group
            for group in self._groups
            if group.name not in self._still and any(self._grouped.get((group.name, topic)) for topic in topics)
        ]

    def _moving(self, topic: str) -> list[Handler]:
        return [one for group in self._moving_groups({topic}) for one in self._grouped[group.name, topic]]

    def _stand_still(self, group: FoldGroup, failure: Exception) -> None:
        """Stop applying the group until the process starts anew; its positions stay as they are. Raises `failure` if
        the group halts the worker, or if it is the last group that moves."""
        if not group.parks or len(self._still) + 1 == len(self._groups):
            raise failure
        self._still.add(group.name)
        telemetry.FOLD_GROUP_STILL.labels(self._worker, group.name).set(1)
        log.critical("group %s stands still, the others go on: %r", group.name, failure, exc_info=failure)

    def _run(self, batch: PartitionBatch, columns: Columns | None) -> Run:
        if columns is None:
            batch = batch._replace(records=crossing.up_to_closing(batch.records))
        return Run(batch, self._data, columns)

    def _data(self, records: Sequence[ConsumedRecord]) -> list[Any]:
        """The data of the records of a run. Control records are only at its ends: an opening one (or a few, if a fill
        was begun again) at its beginning, a closing one at its end."""
        opening = next((n for n, one in enumerate(records) if not opens(one)), len(records))
        closing = len(records) - int(crossing.closes(records[-1]))
        data = [None] * opening + self._avro.decode_all([one.value or b"" for one in records[opening:closing]])
        return data + [orjson.loads(one.value or b"") for one in records[closing:]]

    async def apply_decoded(self, runs: Sequence[Run]) -> None:
        """Apply runs of several partitions, with one transaction for each group. A group with a process uses several
        transactions of at most `REACTING_RECORDS` records, because each holds the streams that it writes until it ends.

        Raises `OffsetGap` if records are missing before a run, `StalePosition` if another worker has moved on
        meanwhile, `BuiltUnderOther` if rows were built under other settings, and any failure of a group that halts;
        then nothing of that transaction is written. A group that parks sets aside the records that it cannot fold; if
        it cannot go on, it stands still.
        """
        for group in self._moving_groups({run.topic for run in runs}):
            mine = [run for run in runs if self._grouped[group.name, run.topic]]
            for part in parts(mine, REACTING_RECORDS) if group.processes else [mine]:
                await self._apply_group(group, part)

    async def _apply_group(self, group: FoldGroup, runs: Sequence[Run]) -> None:
        started = time.perf_counter()
        places = [positions.place(run) for run in runs]
        headers = (one for run in runs for one in run.causes)
        with tracing.batch("process", SpanKind.CONSUMER, self._worker, places, headers):
            try:
                await self._apply_or_park(group, runs, places)
            except (*PASSING, *LOST_PLACE):
                raise
            except Exception as failure:  # noqa: BLE001 - it is raised again unless the group may stand still
                self._stand_still(group, failure)
        telemetry.FOLD_BATCH_SECONDS.labels(self._worker).observe(time.perf_counter() - started)

    async def _apply_or_park(self, group: FoldGroup, runs: Sequence[Run], places: Sequence[TopicPartition]) -> None:
        try:
            await self._apply(group, runs, places)
        except Exception as failure:
            merged = any(run.fetched for run in runs)
            if not of_one_record(failure) or not (group.parks or merged):
                raise
            log.warning("group %s looks for the record that it cannot fold: %r", group.name, failure)
            await self._apply(group, runs, places, one_by_one=True)

    async def _apply(
        self, group: FoldGroup, runs: Sequence[Run], places: Sequence[TopicPartition], *, one_by_one: bool = False
    ) -> None:
        """Apply the runs in a transaction. With `one_by_one`, no event is merged with others, and a group that parks
        finds the ones that it cannot fold."""
        handlers = self._reading(group, {topic for topic, _ in places})
        async with self._pool.connection() as conn, conn.transaction():
            await take_turns(conn, {turn(one, *at) for at in places for one in self._grouped[group.name, at[0]]})
            await built_under.keep(conn, settings_of(handlers))  # in turn: a rebuild with others may just have swapped
            standing = await self._standing(conn, handlers, places)
            held = await held_keys(conn, self._holding(handlers, places, standing))
            moves = []
            for one in handlers:
                fresh, moved = self._unseen(one, runs, standing)
                if isinstance(one, Process):
                    await self._react(conn, one, self._events(one, fresh))
                elif (merged := self._merged(one, fresh, held)) and not one_by_one:
                    telemetry.FOLD_EVENTS.labels(one.name).inc(merged.events)
                    await write(conn, merged)
                else:
                    aside, parks = held.get(one.name, set()), group.parks
                    events = self._events(one, fresh)
                    await project(conn, one, events, aside, parks=parks, one_by_one=one_by_one and parks)
                moves += moved
            await positions.move(conn, moves)
            closing = [run for run in runs if run.closes]
            moved_on = await self._cross(conn, group, closing, standing)
        self._crossed = self._crossed or moved_on

    async def _standing(
        self, conn: Connection, handlers: Sequence[Handler], places: Sequence[TopicPartition]
    ) -> Standing:
        """The positions of the handlers on these partitions; no position where a handler has yet to begin."""
        found = await positions.stored(conn, [one.name for one in handlers], places)
        without = {
            (one.name, place)
            for one in handlers
            for place in places
            if place[0] in self._read[one.name] and (one.name, place) not in found
        }
        left = await crossing.left(conn, {(name, topic) for name, (topic, _) in without}) if without else set()
        return found | {(name, at): positions.LEFT for name, at in without if (name, at[0]) in left}

    def _merged(self, one: Projection, fresh: Fresh, held: Mapping[str, Collection[str]]) -> Grouped | None:
        """The records as a set; None if the projection takes them one by one."""
        fetched = next((run.fetched for run, _ in fresh), None)
        if fetched is None or not one.merges or held.get(one.name):
            return None
        return self._sets.grouped(fetched, one, fresh)

    def _events(self, handler: Handler, fresh: Fresh) -> list[PublicRecord]:
        events = given(handler, [run.events[n] for run, some in fresh for n in some])
        telemetry.FOLD_EVENTS.labels(handler.name).inc(len(events))
        return events

    def _holding(self, handlers: Sequence[Handler], places: Sequence[TopicPartition], standing: Standing) -> list[str]:
        """The handlers that may have parked records. Few have any, and asking each time would cost a round trip."""
        return [
            one.name
            for one in handlers
            if any(
                standing.get((one.name, place), positions.UNKNOWN).parked
                for place in places
                if place[0] in self._read[one.name]
            )
        ]

    async def _cross(self, conn: Connection, group: FoldGroup, closing: Sequence[Run], standing: Standing) -> bool:
        """Close the partitions that have come to their end. Returns whether a handler goes on at the next generation. A
        handler that misses records before the end has not reached it."""
        crossed = False
        for run in closing:
            barrier = Barrier.of(run[-1].data)
            for handler in self._grouped[group.name, run.topic]:
                position = standing.get((handler.name, positions.place(run)), positions.START)
                if not position.closed and len(positions.unbroken(position, run)) < len(run):
                    continue
                done = await crossing.close(conn, handler.name, run[-1])
                if done and barrier.rewound:
                    new, partitions = barrier.next_topic, len(barrier.offsets)
                    await regaining.over(conn, handler, run[0].topic, new, partitions, barrier.histories)
                crossed |= done
        return crossed

    def _reading(self, group: FoldGroup, topics: Collection[str]) -> list[Handler]:
        """The group's handlers of these topics, each once, ordered by name."""
        found = {one.name: one for topic in topics for one in self._grouped[group.name, topic]}
        return [found[name] for name in sorted(found)]

    def _unseen(self, handler: Handler, runs: Sequence[Run], standing: Standing) -> tuple[Fresh, list[Move]]:
        """The records of each run that the handler has not applied, and its positions after the runs."""
        reading = [
            (position, run, positions.unbroken(position, run))
            for run in runs
            if run.topic in self._read[handler.name]
            if not (position := standing.get((handler.name, positions.place(run)), positions.START)).closed
        ]
        fresh = [(run, positions.not_applied(position, part)) for position, run, part in reading]
        seen = sum(len(part) for *_, part in reading) - sum(len(some) for _, some in fresh)
        telemetry.FOLD_DUPLICATES.labels(handler.name).inc(seen)
        moves = [positions.moved_over(handler.name, position, part) for position, _, part in reading]
        return fresh, [move for move in moves if move is not None]

    async def _react(self, conn: Connection, process: Process, events: Sequence[PublicRecord]) -> None:
        if not events:
            return
        if self._store is None:
            raise TypeError("a worker with processes needs the event store")
        now = self._clock()
        reactions = [(event, said) for event in events if (said := process.react(event))]
        happened = await self._that_happened(conn, process, [event for event, _ in reactions])
        items = [_caused(item, event, process, now) for event, said in reactions if event in happened for item in said]
        if not items:
            return
        context = Context(now=now, actor=process.name, correlation_id=events[0].correlation_id)
        outcomes, _ = await self._store.decide(conn, items, context)
        for outcome in outcomes:
            if outcome.error:
                raise outcome.error

    async def _that_happened(
        self, conn: Connection, process: Process, events: Sequence[PublicRecord]
    ) -> set[PublicRecord]:
        """The events that did happen. Of the service's own events these are the ones that its store knows: after a
        restore to an earlier point, the topics hold others, and the effects of a process cannot be undone. Events of
        other services count as happened."""
        own = [event for event in events if self._store and event.source == self._store.source]
        if not own:
            return set(events)
        ids = await standing.ids_of(conn, await history.load(conn), [event.seq for event in own])
        never = {event for event in own if ids.get(event.seq) != event.id}
        if never:
            log.error("process %s does not react to %d events that its store does not know", process.name, len(never))
        return set(events) - never


def _merges(handler: Handler) -> bool:
    return isinstance(handler, Projection) and bool(handler.merges)


def parts(runs: Sequence[Run], most_records: int) -> Iterator[list[Run]]:
    """The runs in parts of about `most_records` records, with the order of each partition kept."""
    each = max(1, most_records // len(runs))
    for start in range(0, max(map(len, runs)), each):
        yield [part for run in runs if (part := run[start : start + each])]


def _caused(item: Item, event: PublicRecord, process: Process, now: datetime) -> Item:
    """The item as the worker records it: with the worker's clock, in the trace of its cause. Business time and cause
    are those of the reaction or, if it gives none, those of the event."""
    said = item.context or Context(now, process.name, event.correlation_id, event.id)
    return replace(item, context=replace(said, now=now, traceparent=tracing.checked(event.traceparent)))
