"""Fold workers of shelves, by hand: what is assigned, fetched, applied, killed and repeated is for the test to say."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from deployed import command
from house import House
from memory_deployment import in_memory
from memory_kafka import Kafka, Killed
from shelf import COUNTING, JsonInsteadOfAvro, count, fold
from shelf_model import Model
from shelf_writing import stream_of

from eventfold import Changes, FoldGroup, PublicRecord, Rows
from eventfold.errors import NotFound, Poison, TopicLost
from eventfold.fold import crossing
from eventfold.fold.positions import check_within
from eventfold.fold.runner import FoldRunner, Standing
from eventfold.fold.runs import Run
from eventfold.fold.worker import apply_with_retry
from eventfold.vocabulary.decider import event_id
from eventfold_ops import dlq, rebuild
from eventfold_ops.refold import RefoldStalled

RECORDS_PER_FETCH = 3


class _Dying(FoldRunner):
    async def _cross(self, conn: Any, group: FoldGroup, closing: Sequence[Run], standing: Standing) -> bool:
        await super()._cross(conn, group, closing, standing)
        raise Killed


@dataclass
class Worker:
    """One process: the partitions that it believes to have, with what it reads next there, and a fetch in its hands."""

    runner: FoldRunner
    next: dict[int, int] = field(default_factory=dict)
    in_hand: list[Run] = field(default_factory=list)

    @property
    def topic(self) -> str:
        """The generation that it reads."""
        return self.runner.topics[0]

    def begin_anew(self, names: crossing.Names) -> None:
        """Its process is replaced by one that follows `names`."""
        self.next.clear()
        self.in_hand.clear()
        self.runner.follow(names)


class Workers:
    """Two workers of one group."""

    def __init__(self, house: House, kafka: Kafka, model: Model) -> None:
        self._house = house
        self._kafka = kafka
        self._model = model
        self.counting = replace(COUNTING, fold=self._fold)
        self._workers = [Worker(self._made(FoldRunner)) for _ in range(2)]

    def _made(self, kind: type[FoldRunner]) -> FoldRunner:
        return kind(
            worker="shelf",
            pool=self._house.pool,
            avro=JsonInsteadOfAvro(),
            groups=[self._group()],
            topic_prefix=self._house.prefix,
        )

    def _group(self) -> FoldGroup:
        return FoldGroup("shelves", (self.counting,), parks=True)

    def _fold(self, rows: Rows, events: Sequence[PublicRecord]) -> Changes:
        """The example's fold, in which a deployment may have healed what was poison."""
        return count(rows, events) if self._model.healed else fold(rows, events)

    async def assign(self, worker: int, partition: int) -> None:
        """The partition goes to the worker, from the stored position; whoever had it may not know yet."""
        one = self._workers[worker]
        if await self._learns(one):
            await self._seek(one, [partition % self._kafka.existing()[one.topic]])

    async def start(self, worker: int) -> None:
        """The worker's process begins and is given every partition of what it reads now."""
        one = self._workers[worker]
        one.begin_anew(one.runner.names)
        if await self._learns(one):
            await self._seek(one, range(self._kafka.existing()[one.topic]))

    async def _learns(self, one: Worker) -> bool:
        """What a worker asks at each assignment: it begins anew where its handlers read something else by now.

        Returns whether it can read that; else it halts until somebody helps.
        """
        existing = self._kafka.existing()
        try:
            async with self._house.pool.connection() as conn:
                names = await crossing.names(conn, one.runner.wanted, existing)
                await crossing.check_partitions(conn, set(names.values()), existing)
        except TopicLost:
            names = {}
        if names != one.runner.names:
            one.begin_anew(names)
        return bool(names) and one.topic in existing

    async def _seek(self, one: Worker, partitions: Collection[int]) -> None:
        places = [(one.topic, partition) for partition in partitions]
        offsets = await one.runner.start_offsets(places)
        logs = self._kafka.topics[one.topic].partitions
        check_within(offsets, dict.fromkeys(places, 0), {place: len(logs[place[1]]) for place in places})
        one.next.update({partition: max(0, offset - 1) for (_, partition), offset in offsets.items()})

    def deliver_again(self, worker: int, partition: int, records: int) -> None:
        """The worker reads again what it has read."""
        reading = self._workers[worker].next
        if partition in reading:
            reading[partition] = max(0, reading[partition] - records)

    async def fetch(self, worker: int) -> bool:
        """Take records of each of its partitions in hand, unless it has some; whether it now has.

        One whose handler has crossed over begins anew first.
        """
        one = self._workers[worker]
        if one.runner.crossed:
            await self.start(worker)
        if not one.in_hand:
            batches = [self._kafka.read(one.topic, *place, RECORDS_PER_FETCH) for place in sorted(one.next.items())]
            batches = [batch for batch in batches if batch.records]
            for batch in batches:
                one.next[batch.partition] += len(batch.records)
            one.in_hand = one.runner.decode(batches)
        return bool(one.in_hand)

    async def apply(self, *workers: int) -> None:
        """What these workers have in hand, at once. One that finds the position moved meanwhile tries again."""
        busy = [one for worker in workers if (one := self._workers[worker]).in_hand]
        await asyncio.gather(*(apply_with_retry(one.runner, one.in_hand) for one in busy))
        for one in busy:
            one.in_hand = []

    async def read_on(self, worker: int, fetches: int) -> None:
        """Fetch and apply, so often at most."""
        for _ in range(fetches):
            if await self.fetch(worker):
                await self.apply(worker)

    async def die_applying(self, worker: int) -> None:
        """Killed between the writes and the commit; it starts again from the stored positions."""
        one = self._workers[worker]
        if one.in_hand:
            dying = self._made(_Dying)
            dying.follow(one.runner.names)
            with pytest.raises(Killed):
                await dying.apply_decoded(one.in_hand)
        await self.start(worker)

    async def redrive(self, shelf: str) -> None:
        """Refused where nothing is parked or the fold still cannot apply it; nothing has changed then."""
        parked = self._model.keys[shelf].parked
        async with await self._house.connect() as conn:
            if parked and self._model.redrivable(shelf):
                assert await dlq.redrive(conn, self.counting, JsonInsteadOfAvro(), shelf) == len(parked)
                self._model.redriven(shelf)
            else:
                with pytest.raises(Poison if parked else NotFound):
                    await dlq.redrive(conn, self.counting, JsonInsteadOfAvro(), shelf)

    async def discard(self, shelf: str, index: int) -> None:
        """Give up any one of the parked records, the first or one that waits."""
        parked = self._model.keys[shelf].parked
        if not parked:
            return
        version, _ = parked[index % len(parked)]
        async with await self._house.connect() as conn:
            stream = stream_of(shelf)
            assert await dlq.discard(conn, self.counting.name, str(event_id(stream, version))) == 1
            assert await dlq.discard(conn, self.counting.name, str(event_id(stream, version))) == 0
        self._model.discarded(shelf, version)

    async def rebuild(self, *, fresh: bool, dies_at: int, may_fail: bool) -> None:
        """By the command, while the workers keep what they have in hand; killed at its fetch `dies_at`, or not at 0.

        Where a topic was lost it may be that the records are not there, or not where a rebuild left off that failed.
        """
        deployed = replace(
            in_memory(self._house, self._kafka, self._house.connect),
            groups=(self._group(),),
            consumer_dies_at=dies_at,
            build="healed" if self._model.healed else "sick",
        )
        try:
            assert await command(rebuild, deployed, self.counting.name, *(["--fresh"] if fresh else [])) == 0
        except (RefoldStalled, TopicLost):
            assert may_fail
        except Killed:
            assert dies_at
        else:
            self._model.rebuilt()

    async def begin_anew(self) -> None:
        """Everybody stops; the projection starts again with nothing."""
        for one in self._workers:
            one.begin_anew({})
        for table in ("shelf_count", "fold_position", "dead_letter"):
            await self._house.rows(f"WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT count(*) FROM gone")
        self._model.begun_anew()

    @property
    def reading(self) -> str:
        """The generation that the first of them reads."""
        return self._workers[0].topic

    async def finish(self) -> None:
        """A worker with all partitions reads and applies to the end, through every crossing."""
        for one in self._workers:
            one.begin_anew(one.runner.names)
        await self.start(0)
        while await self.fetch(0):
            await self.apply(0)
