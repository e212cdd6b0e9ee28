"""Kafka as far as relay, replay and folds need it, in memory: a list for each partition, and a producer with gates."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import ProducerClosed, UnknownTopicOrPartitionError

from eventfold.fold.crossing import closes
from eventfold.fold.runs import PartitionBatch
from eventfold.publish.witness import TAIL_RECORDS, Tail, Tails, seen, tail_of

RECORDS_PER_BATCH = 2
"""So few that a run takes several batches, and can end between any two of them."""


@dataclass(slots=True)
class Delivered:
    """A record as a consumer gets it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]

    def header(self, name: str) -> str:
        return dict(self.headers)[name].decode()

    @property
    def seq(self) -> int:
        return int(self.header("ce_sequence"))

    @property
    def closes(self) -> bool:
        return closes(self)


class Log:
    """One topic: appended to, read from any offset, and never shortened."""

    def __init__(self, partitions: int) -> None:
        self.partitions: list[list[Delivered]] = [[] for _ in range(partitions)]

    def append(self, partition: int, batch: Batch) -> int:
        """Returns the offset of the batch's first record."""
        log = self.partitions[partition]
        first = len(log)
        for key, value, headers in batch.records:
            log.append(Delivered(len(log), key, value, headers))
        return first


class Kafka:
    """Topics by name, made and deleted as an administrator would."""

    def __init__(self) -> None:
        self.topics: dict[str, Log] = {}
        self.partitions_of: dict[str, int] = {}
        """Of every topic that there ever was."""

    def make(self, name: str, partitions: int) -> None:
        """Does nothing where it is there."""
        self.topics.setdefault(name, Log(partitions))
        self.partitions_of.setdefault(name, partitions)

    def delete(self, name: str) -> None:
        """With all that is on it."""
        del self.topics[name]

    def existing(self) -> dict[str, int]:
        """Each topic with its number of partitions."""
        return {name: len(log.partitions) for name, log in self.topics.items()}

    def log(self, topic: str) -> Log:
        """Raises `UnknownTopicOrPartitionError`."""
        if topic not in self.topics:
            raise UnknownTopicOrPartitionError
        return self.topics[topic]

    def read(self, topic: str, partition: int, offset: int, limit_records: int) -> PartitionBatch:
        """Nothing where the topic is gone: a consumer waits for it to come back."""
        log = self.topics[topic].partitions[partition] if topic in self.topics else []
        return PartitionBatch(topic, partition, log[offset : offset + limit_records])

    def continues_at(self, place: TopicPartition, applied_seq: int) -> int | None:
        """The first offset whose record goes on from there; the end where there is none, None where one is missing."""
        log = self.log(place[0]).partitions[place[1]]
        above = [one for one in map(seen, log) if one.seq > applied_seq]
        goes_on = next((one.offset for one in above if one.previous <= applied_seq), None)
        return len(log) if not above else goes_on


def tails_of(kafka: Kafka) -> Tails:
    """Reads tails there."""

    async def tails(places: Sequence[TopicPartition]) -> Mapping[TopicPartition, Tail]:
        logs = {place: kafka.log(place[0]).partitions[place[1]] for place in places}
        return {place: tail_of(0, len(log), log[-TAIL_RECORDS:]) for place, log in logs.items()}

    return tails


class Killed(Exception):
    """Ends a process where the test says so."""


class Reader:
    """A consumer that is told what to read and where to begin. Its process is killed at its fetch `dies_at`, from 1."""

    def __init__(self, kafka: Kafka, dies_at: int = 0) -> None:
        self._kafka = kafka
        self._fetches_left = dies_at
        self._next: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Nothing to leave."""

    def assign(self, places: Sequence[TopicPartition]) -> None:
        self._next = dict.fromkeys(places, 0)
        self._paused.clear()

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._next[place] = offset

    def pause(self, place: TopicPartition) -> None:
        self._paused.add(place)

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        self._fetches_left -= 1
        if self._fetches_left == 0:
            raise Killed
        fetched = {}
        for place in self._next.keys() - self._paused:
            batch = self._kafka.read(place.topic, place.partition, self._next[place], max_records)
            if batch.records:
                fetched[place] = list(batch.records)
                self._next[place] += len(batch.records)
        return fetched

    async def commit(self, ends: object) -> None:
        """Nobody watches."""


class Batch:
    """What `create_batch` returns."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes, Sequence[tuple[str, bytes]]]] = []

    def record_count(self) -> int:
        return len(self.records)

    def append(
        self, *, timestamp: int, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> object:
        if len(self.records) >= RECORDS_PER_BATCH:
            return None
        self.records.append((key, value, headers))
        return timestamp


@dataclass(frozen=True)
class Acknowledgement:
    """What the broker answers: the offset of the first record of a batch."""

    offset: int


class Gates:
    """Where a coroutine stands still until it is let pass, or made to fail."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, asyncio.Future[None]]] = []
        self.rested = asyncio.Event()
        self.rested.set()
        self._working = 0

    async def reach(self, point: str) -> None:
        passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((point, passed))
        try:
            await passed
        except asyncio.CancelledError:
            self.waiting = [one for one in self.waiting if one[1] is not passed]
            raise

    def release(self, index: int, failure: Exception | None = None) -> None:
        """Let one waiting coroutine pass, or raise `failure` in it."""
        _, passed = self.waiting.pop(index % len(self.waiting))
        if failure is None:
            passed.set_result(None)
        else:
            passed.set_exception(failure)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Around what takes its own time, outside of this loop; meanwhile nothing is `rested`."""
        self._working += 1
        self.rested.clear()
        try:
            yield
        finally:
            self._working -= 1
            if self._working == 0:
                self.rested.set()


class Session:
    """A producer. A failure at `send` is one before the broker took the batch, at `sent` one after."""

    def __init__(self, kafka: Kafka, gates: Gates) -> None:
        self._kafka = kafka
        self._gates = gates
        self._closed = False

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        self._closed = True

    async def settle(self) -> None:
        """Nothing to connect to."""

    async def ends(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: len(self._kafka.log(place[0]).partitions[place[1]]) for place in places}

    def check(self) -> None:
        """Nothing ends by itself."""

    async def partitions_for(self, topic: str) -> set[int]:
        return set(range(self._kafka.existing().get(topic, 0)))

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> Awaitable[Any]:
        if self._closed:
            raise ProducerClosed
        await self._gates.reach("send")
        return self._acknowledged(self._kafka.log(topic).append(partition, batch))

    async def send_and_wait(
        self, topic: str, value: bytes, *, partition: int, headers: Sequence[tuple[str, bytes]]
    ) -> Acknowledgement:
        """One record without a key."""
        batch = self.create_batch()
        batch.append(timestamp=0, key=None, value=value, headers=headers)
        acknowledged: Acknowledgement = await (await self.send_batch(batch, topic, partition=partition))
        return acknowledged

    async def _acknowledged(self, offset: int) -> Acknowledgement:
        await self._gates.reach("sent")
        return Acknowledgement(offset)
