"""The fold runtime: applies batches of records to projections and processes, exactly once each.

Rows, reactions and the consumed position are written in one transaction. The position stored there, not Kafka's
committed offset, says what comes next; whoever holds the records may apply them, and a second application finds the
position moved and writes nothing. Knows nothing of Faust: `worker` feeds it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import orjson
from opentelemetry.trace import SpanKind

from eventfold import crossing, history, positions, regaining, standing, telemetry, tracing
from eventfold.deadletter import held_keys
from eventfold.decider import Context, Item
from eventfold.errors import RecordsMissing
from eventfold.generations import Barrier
from eventfold.history import Histories
from eventfold.positions import Move, Run, take_turns
from eventfold.projecting import project
from eventfold.publish import Avro
from eventfold.readmodel import ConsumedRecord, Handler, Process, Projection, PublicRecord, given, turn
from eventfold.store import Connection, EventStore, Pool
from eventfold.witness import Look, opens

log = logging.getLogger(__name__)

REACTING_RECORDS = 1000
"""Of all partitions together, in one transaction with a process."""

Standing = Mapping[tuple[str, positions.Place], positions.Position]


class PartitionBatch(NamedTuple):
    """A contiguous run of records of one partition, as fetched."""

    topic: str
    partition: int
    records: Sequence[ConsumedRecord]


class Misfit(NamedTuple):
    """A handler whose position does not fit what is on a partition."""

    handler: Handler
    place: positions.Place
    position: positions.Position


Find = Callable[[positions.Place, int, int], Awaitable[int | None]]
"""Where a partition goes on for whoever has applied it up to a number and an offset; see `witness.continues_at`."""


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
        handlers: list[Handler] = [*projections, *processes]
        self._ordered = sorted(handlers, key=lambda handler: handler.name)
        self._prefix = topic_prefix
        self.follow({})

    def follow(self, names: Mapping[tuple[str, str], str]) -> None:
        """Read from now on the generations that `names` gives, by (handler, topic with prefix); see `crossing`."""
        self._names = {(handler, topic): names.get((handler, topic), topic) for handler, topic in self.wanted}
        self._handlers: dict[str, list[Handler]] = {}
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
            return await positions.start(conn, wanted)

    async def misfits(self, partitions: Sequence[positions.Place], look: Look) -> list[Misfit]:
        """The handlers whose positions do not fit what is on the partitions now. `look` reads single records."""
        async with self._pool.connection() as conn:
            standing = await positions.stored(conn, sorted(self._read), partitions)
        at = [
            (handler, place, position) for place in partitions for handler in self._handlers[place[0]]
            if not (position := standing.get((handler.name, place), positions.START)).closed
        ]  # fmt: skip
        seen = await look(
            {
                (place, position.next_offset - n)
                for _, place, position in at
                for n in (0, 1)
                if position.next_offset >= n
            }
        )
        return [
            Misfit(handler, place, position) for handler, place, position in at
            if not regaining.fits(position, *(seen.get((place, position.next_offset - n)) for n in (1, 0)))
        ]  # fmt: skip

    async def find_again(self, misfit: Misfit, partitions: int, histories: Histories, find: Find) -> None:
        """Have a handler read a partition from where it goes on, or fold anew what never happened. `partitions` and
        `histories` are the topic's. Raises `RecordsMissing`."""
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
        """Have a handler go on at another generation, for the one that it was on is gone."""
        one = next(one for one in self._ordered if one.name == handler)
        async with conn.transaction():
            await regaining.over(conn, one, old, new, partitions, histories)

    async def behind(self, ends: Mapping[positions.Place, int]) -> dict[tuple[str, str, int], int]:
        """How many records each handler has yet to apply of each partition, by handler, topic and partition. `ends`
        are the offsets above the last record of each."""
        async with self._pool.connection() as conn:
            standing = await positions.stored(conn, sorted(self._read), list(ends))
        at = {
            (handler.name, *place): standing.get((handler.name, place), positions.START)
            for place in ends for handler in self._handlers.get(place[0], ())
        }  # fmt: skip
        return {
            (name, topic, partition): max(0, ends[topic, partition] - position.next_offset)
            for (name, topic, partition), position in at.items() if not position.closed
        }  # fmt: skip

    async def apply(self, batches: Sequence[PartitionBatch]) -> None:
        """Decode and apply one contiguous run of records of each of several partitions; see `apply_decoded`."""
        await self.apply_decoded(self.decode(batches))

    def decode(self, batches: Sequence[PartitionBatch]) -> list[Run]:
        """The public records of each batch. Raises what the Avro codec raises, on an unknown fingerprint say."""
        return [self._run(batch.topic, batch.partition, crossing.up_to_closing(batch.records)) for batch in batches]

    def _run(self, topic: str, partition: int, records: Sequence[ConsumedRecord]) -> Run:
        """Control records stand at the ends of a run, if it has any: an opening one (or a few, where a fill was begun
        again) at its beginning, a closing one at its end."""
        opening = next((n for n, one in enumerate(records) if not opens(one)), len(records))
        closing = len(records) - int(crossing.closes(records[-1]))
        plain = records[opening:closing]
        data = [None] * opening + self._avro.decode_all([one.value or b"" for one in plain])
        data += [orjson.loads(one.value or b"") for one in records[closing:]]
        return [PublicRecord(topic, partition, one, datum) for one, datum in zip(records, data, strict=True)]

    async def apply_decoded(self, runs: Sequence[Run]) -> None:
        """Apply runs of several partitions in one transaction; where a process reacts to them, in several of at most
        `REACTING_RECORDS`, for it holds the streams that it writes until each ends.

        Raises `OffsetGap` when records are missing before a run, `StalePosition` when another worker moved on
        meanwhile, and whatever a handler that halts raised; nothing of that transaction's is then written.
        """
        if any(isinstance(one, Process) for one in self._reading({run[0].topic for run in runs})):
            for part in parts(runs, REACTING_RECORDS):
                await self._apply_part(part)
        else:
            await self._apply_part(runs)

    async def _apply_part(self, runs: Sequence[Run]) -> None:
        started = time.perf_counter()
        places = [positions.place(run) for run in runs]
        headers = (event.headers for run in runs for event in run)
        with tracing.batch("process", SpanKind.CONSUMER, self._worker, places, headers):
            await self._apply(runs, places)
        telemetry.FOLD_BATCH_SECONDS.labels(self._worker).observe(time.perf_counter() - started)

    async def _apply(self, runs: Sequence[Run], places: Sequence[positions.Place]) -> None:
        handlers = self._reading({topic for topic, _ in places})
        async with self._pool.connection() as conn, conn.transaction():
            await take_turns(conn, {turn(one, *place) for place in places for one in self._handlers[place[0]]})
            standing = await positions.stored(conn, [one.name for one in handlers], places)
            held = await held_keys(conn, self._holding(handlers, places, standing))
            moves = [await self._advance(conn, one, runs, standing, held.get(one.name, set())) for one in handlers]
            await positions.move(conn, [move for of_one in moves for move in of_one])
            moved_on = await self._cross(conn, [run for run in runs if crossing.is_closing(run[-1])], standing)
        self._crossed = self._crossed or moved_on

    def _holding(self, handlers: Sequence[Handler], places: Sequence[positions.Place], standing: Standing) -> list[str]:
        """The handlers that may have parked records: few have, and asking each time would cost a round trip."""
        return [
            one.name for one in handlers
            if any(
                standing.get((one.name, place), positions.UNKNOWN).parked
                for place in places if place[0] in self._read[one.name]
            )
        ]  # fmt: skip

    async def _cross(self, conn: Connection, closing: Sequence[Run], standing: Standing) -> bool:
        """Close what has come to its end; whether a handler goes on at the next generation. One that misses records
        before the end has not come to it."""
        crossed = False
        for run in closing:
            barrier = Barrier.of(run[-1].data)
            for handler in self._handlers[run[0].topic]:
                position = standing.get((handler.name, positions.place(run)), positions.START)
                if not position.closed and len(positions.unbroken(position, run)) < len(run):
                    continue
                done = await crossing.close(conn, handler.name, run[-1])
                if done and barrier.rewound:
                    new, partitions = barrier.next_topic, len(barrier.offsets)
                    await regaining.over(conn, handler, run[0].topic, new, partitions, barrier.histories)
                crossed |= done
        return crossed

    def _reading(self, topics: set[str]) -> list[Handler]:
        """The handlers of these topics, each once, in name order."""
        found = {handler.name: handler for topic in topics for handler in self._handlers[topic]}
        return [found[name] for name in sorted(found)]

    async def _advance(
        self, conn: Connection, handler: Handler, runs: Sequence[Run], standing: Standing, held: set[str]
    ) -> list[Move]:
        """Apply what the handler has not applied of the runs that it reads; where it then stands."""
        reading = [
            (position, positions.unbroken(position, run)) for run in runs if run[0].topic in self._read[handler.name]
            if not (position := standing.get((handler.name, positions.place(run)), positions.START)).closed
        ]  # fmt: skip
        unseen = [event for position, run in reading for event in positions.not_applied(position, run)]
        fresh = given(handler, unseen)
        if fresh and isinstance(handler, Process):
            await self._react(conn, handler, fresh)
        elif fresh and isinstance(handler, Projection):
            await project(conn, handler, fresh, held)
        telemetry.FOLD_EVENTS.labels(handler.name).inc(len(fresh))
        telemetry.FOLD_DUPLICATES.labels(handler.name).inc(sum(len(run) for _, run in reading) - len(unseen))
        moves = [positions.moved_over(handler.name, position, run) for position, run in reading]
        return [move for move in moves if move is not None]

    async def _react(self, conn: Connection, process: Process, events: Sequence[PublicRecord]) -> None:
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
        """Of the service's own events those that its store knows: where it was restored to an earlier point, its topics
        hold others, and what a process causes is not taken back. Others' events are theirs to tell."""
        own = [event for event in events if self._store and event.source == self._store.source]
        if not own:
            return set(events)
        ids = await standing.ids_of(conn, await history.load(conn), [event.seq for event in own])
        never = {event for event in own if ids.get(event.seq) != event.id}
        if never:
            log.error("process %s does not react to %d events that its store does not know", process.name, len(never))
        return set(events) - never


def parts(runs: Sequence[Run], most_records: int) -> Iterator[list[Run]]:
    """The runs in parts of about so many records, each partition's in its order."""
    each = max(1, most_records // len(runs))
    for start in range(0, max(map(len, runs)), each):
        yield [part for run in runs if (part := run[start : start + each])]


def _caused(item: Item, event: PublicRecord, process: Process, now: datetime) -> Item:
    """The item recorded by the worker's clock, as a part of its cause's trace; business time and cause stay what the
    reaction says, and where it says nothing are the event's."""
    said = item.context or Context(now, process.name, event.correlation_id, event.id)
    return replace(item, context=replace(said, now=now, traceparent=tracing.checked(event.traceparent)))
