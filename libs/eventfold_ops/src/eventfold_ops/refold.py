"""Folds a shadow: reads the live projection's topics from the shadow's own positions, and never goes past the live
ones."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from eventfold import Connection, Pool
from eventfold.errors import EventfoldError
from eventfold.fold import crossing
from eventfold.fold.fetching import in_batches
from eventfold.fold.kafka_batches import below, last_offset
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch, Run
from eventfold.fold.worker import FETCH_BYTES_PER_PARTITION, fetch_records
from eventfold.postgres import sessions
from eventfold.publish.generations import logical, number
from eventfold_ops.deployment import Deployment
from eventfold_ops.progress import Progress
from eventfold_ops.shadow import Shadow

FETCH_WAIT_MS = 200
STALLED_AFTER_S = 60.0
REPORT_LAG_EVERY_S = 1.0

Positions = dict[tuple[str, int], int]

_LIVE = "SELECT topic, partition, next_offset, seq FROM fold_position WHERE projection = %s"


class RefoldStalled(EventfoldError):
    """Kafka delivered none of the missing records for `STALLED_AFTER_S`."""

    def __init__(self, projection: str, missing: Positions) -> None:
        places = ", ".join(f"{topic}[{partition}] below {offset}" for (topic, partition), offset in missing.items())
        super().__init__(
            f"no record of {places} came for {STALLED_AFTER_S:.0f} s; check the topic, then run with --fresh"
        )
        self.projection = projection


async def live_positions(conn: Connection, projection: str) -> Positions:
    """Next offset by topic and partition, in the connection's schema."""
    cursor = await conn.execute(
        "SELECT topic, partition, next_offset FROM fold_position WHERE projection = %s", [projection]
    )
    return {(topic, partition): offset for topic, partition, offset in await cursor.fetchall()}


class Refold:
    """Folds one projection into its shadow. Not safe for concurrent use."""

    def __init__(self, deployment: Deployment, one: Shadow, pool: Pool, consumer: AIOKafkaConsumer) -> None:
        self._shadow = one
        self._pool = pool
        self._consumer = consumer
        self._deployment = deployment
        self._runner = FoldRunner(
            worker=f"rebuild.{one.projection.name}",
            pool=pool,
            avro=deployment.avro,
            groups=[deployment.alone(one.projection)],
            topic_prefix=deployment.topic_prefix,
        )
        self._progress = Progress(f"folding {one.projection.name} anew")
        self._lag_reported_at = 0.0
        self._carried: dict[tuple[str, int, int], int] = {}

    @staticmethod
    @contextlib.asynccontextmanager
    async def over(deployment: Deployment, conn: Connection, one: Shadow) -> AsyncIterator[Refold]:
        """A refold with a pool in the shadow schema and a consumer of its own, whose group only shows the lag."""
        url = make_conninfo(deployment.database_url, options=f"-csearch_path={one.shadow}")
        consumer = in_batches(deployment.consumer(f"rebuild.{one.projection.name}", FETCH_BYTES_PER_PARTITION))
        async with (
            AsyncConnectionPool(
                url, min_size=1, max_size=2, open=False, kwargs={"autocommit": True}, configure=sessions.fix
            ) as pool,
            _started(consumer),
        ):
            refold = Refold(deployment, one, pool, consumer)
            await refold._follow(conn)
            yield refold

    async def places(self) -> set[tuple[str, int]]:
        """Every partition of the topics that the shadow reads."""
        existing = await self._deployment.existing_topics()
        return {(topic, partition) for topic in self._runner.topics for partition in range(existing.get(topic, 0))}

    async def missing(self, conn: Connection) -> int:
        """The number of records that the shadow is behind the live projection. `conn` sees the live schema."""
        live, mine = await self._both(conn)
        return sum(max(0, offset - mine.get(place, 0)) for place, offset in live.items())

    async def up_to_live(self, conn: Connection) -> None:
        """Fold until the shadow stands where the live projection stood at the last look.

        Crosses to the next generation of a topic if the live projection has. Raises `RefoldStalled`, and the errors of
        the projection and of Kafka.
        """
        while limits := await self._limits(conn):
            await self._fold_below(limits)
            if self._runner.crossed:
                await self._follow(conn)

    async def _both(self, conn: Connection) -> tuple[Positions, Positions]:
        """The live positions on the newest generation of each topic, and the shadow's positions."""
        live = await self._positions(conn)
        newest = {logical(topic): topic for topic, _ in sorted(live, key=lambda place: number(place[0]))}
        return await self._offsets(live, set(newest.values())), await self._own()

    async def _limits(self, conn: Connection) -> Positions:
        """The offsets up to which the shadow still has to read its topics, for each partition that is not there yet."""
        live, mine = await self._offsets(await self._positions(conn), self._runner.topics), await self._own()
        return {place: offset for place, offset in live.items() if mine.get(place, 0) < offset}

    async def _positions(self, conn: Connection) -> dict[tuple[str, int], tuple[int, int]]:
        """The live projection's next offset and number on each partition."""
        rows = await (await conn.execute(_LIVE, [self._shadow.projection.name])).fetchall()
        return {(topic, partition): (offset, seq) for topic, partition, offset, seq in rows}

    async def _own(self) -> Positions:
        async with self._pool.connection() as own:
            return await live_positions(own, self._shadow.projection.name)

    async def _offsets(self, live: Mapping[tuple[str, int], tuple[int, int]], topics: Collection[str]) -> Positions:
        """Where the live projection stands on these topics. If its position was carried to the beginning of a topic, it
        has applied everything up to a number: it stands after that number."""
        return {
            place: offset or await self._reached(place, seq)
            for place, (offset, seq) in live.items()
            if place[0] in topics
        }

    async def _reached(self, place: tuple[str, int], seq: int) -> int:
        """The offset before which a partition holds everything applied up to `seq`. It is found once, because later
        records have higher numbers. Raises `RefoldStalled` if some of it is missing."""
        if seq and (*place, seq) not in self._carried:
            found = await self._deployment.continues_at(place, seq)
            if found is None:
                raise RefoldStalled(self._shadow.projection.name, {place: 0})
            self._carried[*place, seq] = found
        return self._carried.get((*place, seq), 0)

    async def _follow(self, conn: Connection) -> None:
        """Read the topics on which the shadow has positions; where it has none yet, those that the live projection
        reads."""
        existing = await self._deployment.existing_topics()
        async with self._pool.connection() as own:
            started = {topic for topic, _ in await live_positions(own, self._shadow.projection.name)}
            names = dict(await crossing.names(own, self._runner.wanted, existing))
        for handler, topic in self._runner.wanted:
            if topic not in map(logical, started):
                names |= await crossing.names(conn, [(handler, topic)], existing)
        self._runner.follow(names)

    async def _fold_below(self, limits: Positions) -> None:
        """Fold everything below the limits. Ends early if the shadow crosses to another generation. The next fetch is
        read and decoded while the database applies the one before."""
        await self._seek(limits)
        left = dict(limits)
        give_up_at = time.monotonic() + STALLED_AFTER_S
        async with one_at_a_time() as applying:
            while left and not self._runner.crossed:
                batches = await self._fetch(limits)
                if batches:
                    give_up_at = time.monotonic() + STALLED_AFTER_S
                    await applying(self._apply(batches, self._runner.decode(batches)))
                elif time.monotonic() > give_up_at:
                    raise RefoldStalled(self._shadow.projection.name, left)
                for batch in batches:
                    place = (batch.topic, batch.partition)
                    if last_offset(batch.records) + 1 >= limits[place]:
                        left.pop(place)
                        self._consumer.pause(TopicPartition(*place))

    async def _apply(self, batches: Sequence[PartitionBatch], runs: Sequence[Run]) -> None:
        if self._runner.crossed:  # by the fetch before: this one is read again
            return
        await self._runner.apply_decoded(runs)
        self._progress.add(sum(len(batch.records) for batch in batches))
        await self._report_lag(batches)

    async def _seek(self, limits: Positions) -> None:
        self._consumer.assign([TopicPartition(*place) for place in limits])
        starts = await self._runner.start_offsets(sorted(limits))
        for place in limits:
            self._consumer.seek(TopicPartition(*place), starts[place])
        if not self._progress.total:
            self._progress.done = sum(starts.values())
        self._progress.total = self._progress.done + sum(end - starts[place] for place, end in limits.items())

    async def _fetch(self, limits: Positions) -> list[PartitionBatch]:
        fetched = await self._consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=fetch_records(self._runner))
        return [
            PartitionBatch(place.topic, place.partition, kept)
            for place, records in fetched.items()
            if (kept := below(records, limits[place.topic, place.partition]))
        ]

    async def _report_lag(self, batches: Sequence[PartitionBatch]) -> None:
        """Commit the position to Kafka for lag monitoring only; nothing reads it."""
        if batches and time.monotonic() - self._lag_reported_at > REPORT_LAG_EVERY_S:
            self._lag_reported_at = time.monotonic()
            ends = {TopicPartition(one.topic, one.partition): last_offset(one.records) + 1 for one in batches}
            with contextlib.suppress(KafkaError):
                await self._consumer.commit(ends)


@contextlib.asynccontextmanager
async def one_at_a_time() -> AsyncIterator[Callable[[Coroutine[Any, Any, None]], Awaitable[None]]]:
    """Starts coroutines, each when the one before has ended, and waits for the last. Raises what one of them raises."""
    running: list[asyncio.Task[None]] = []

    async def start(work: Coroutine[Any, Any, None]) -> None:
        try:
            while running:
                await running.pop()
        except BaseException:
            work.close()
            raise
        running.append(asyncio.create_task(work))

    try:
        yield start
        while running:
            await running.pop()
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@contextlib.asynccontextmanager
async def _started(consumer: AIOKafkaConsumer) -> AsyncIterator[None]:
    await consumer.start()
    try:
        yield
    finally:
        await consumer.stop()
