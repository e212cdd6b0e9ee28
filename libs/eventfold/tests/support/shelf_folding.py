"""Fold workers of shelves, by hand: what is assigned, fetched, applied, killed and repeated is for the test to say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from house import House
from memory_kafka import Log
from shelf import COUNTING, JsonInsteadOfAvro, count, fold
from shelf_model import Model
from shelf_writing import stream_of

from eventfold.decider import event_id
from eventfold.errors import NotFound, Poison
from eventfold.fold import FoldRunner
from eventfold.positions import Run
from eventfold.readmodel import Changes, Projection, PublicRecord, Rows
from eventfold.worker import apply_with_retry
from eventfold_ops import dlq

RECORDS_PER_FETCH = 3


class Killed(Exception):
    """Ends a worker between its writes and their commit."""


def _killing(*_: object) -> Changes:
    raise Killed


class Workers:
    """Any number of workers, each with the partitions that it believes to have and a fetch in its hands."""

    def __init__(self, house: House, log: Log, model: Model) -> None:
        self._house = house
        self._log = log
        self._model = model
        self.counting = replace(COUNTING, fold=self._fold)
        self._runner = self._made(self.counting)
        self._dying = self._made(self.counting, Projection("then-killed", COUNTING.topics, (), lambda _: {}, _killing))
        self._next: dict[tuple[int, int], int] = {}
        self._in_hand: dict[int, list[Run]] = {}

    def _made(self, *projections: Projection) -> FoldRunner:
        return FoldRunner(
            worker="shelf", pool=self._house.pool, avro=JsonInsteadOfAvro(), projections=projections,
            topic_prefix=self._house.prefix,
        )  # fmt: skip

    def _fold(self, rows: Rows, events: Sequence[PublicRecord]) -> Changes:
        """The example's fold, in which a deployment may have healed what was poison."""
        return count(rows, events) if self._model.healed else fold(rows, events)

    async def assign(self, worker: int, partition: int) -> None:
        """The partition goes to the worker, from the stored position; whoever had it may not know yet."""
        self._next[worker, partition] = (await self._runner.start_offsets([(self._log.topic, partition)]))[
            self._log.topic, partition
        ]

    def deliver_again(self, worker: int, partition: int, records: int) -> None:
        """The worker reads again what it has read."""
        if (worker, partition) in self._next:
            self._next[worker, partition] = max(0, self._next[worker, partition] - records)

    def fetch(self, worker: int) -> None:
        """Take records of each of its partitions in hand, unless it has some."""
        if worker in self._in_hand:
            return
        batches = [
            self._log.read(partition, offset, RECORDS_PER_FETCH)
            for (holder, partition), offset in self._next.items() if holder == worker
        ]  # fmt: skip
        batches = [batch for batch in batches if batch.records]
        for batch in batches:
            self._next[worker, batch.partition] += len(batch.records)
        if batches:
            self._in_hand[worker] = self._runner.decode(batches)

    async def apply(self, *workers: int) -> None:
        """What these workers have in hand, at once. One that finds the position moved meanwhile tries again."""
        runs = [self._in_hand.pop(worker) for worker in workers if worker in self._in_hand]
        await asyncio.gather(*(apply_with_retry(self._runner, one) for one in runs))

    async def die_applying(self, worker: int) -> None:
        """Killed between the writes and the commit; it starts again from the stored positions."""
        if worker in self._in_hand:
            with pytest.raises(Killed):
                await self._dying.apply_decoded(self._in_hand.pop(worker))
        for holder, partition in list(self._next):
            if holder == worker:
                await self.assign(worker, partition)

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

    async def rebuild(self) -> None:
        """Everybody stops; the projection starts again with nothing."""
        self._next.clear()
        self._in_hand.clear()
        for table in ("shelf_count", "fold_position", "dead_letter"):
            await self._house.rows(f"WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT count(*) FROM gone")
        self._model.rebuilt()

    async def finish(self) -> None:
        """A worker with all partitions reads and applies to the end."""
        for partition, log in enumerate(self._log.partitions):
            await self.assign(0, partition)
            self._next = {place: offset for place, offset in self._next.items() if place != (1, partition)}
            assert self._next[0, partition] <= len(log)
        self._in_hand.clear()
        self.fetch(0)
        while 0 in self._in_hand:
            await self.apply(0)
            self.fetch(0)
