"""Reads the topics' ends. They witness the sent events, because topics are not restored together with a store.

Reads single records without a consumer group, so that nobody's position moves.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from eventfold.publish.brokers import Brokers
from eventfold.publish.connections import closed
from eventfold.publish.history import Histories, History, of_json

READ_WITHIN_S = 20.0
SCAN_WITHIN_S = 600.0
"""Time limit for a whole partition, at some hundred thousand records a second."""
TAIL_RECORDS = 200
"""Number of last records that are read. A relay that was thought dead may have sent some records a second time, after
records with higher numbers."""
FETCH_BYTES = 1024 * 1024
OPENED_TYPE = "lyceum.eventfold.generation.opened.v1"


@dataclass(frozen=True, slots=True)
class Seen:
    """A record on a partition: its number, id and history, from its headers."""

    offset: int
    seq: int
    id: str = ""
    history: str | None = None
    previous: int = 0
    """The number of the record before it on the partition; 0 if its relay did not write it."""


@dataclass(frozen=True, slots=True)
class Tail:
    """A partition: its begin and end offsets, and the record with the highest number near its end (None if there is no
    event)."""

    begin: int
    end: int
    last: Seen | None


Tails = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, Tail]]]
"""Reads the tail of each partition. Raises `KafkaError`."""


Look = Callable[[Collection[tuple[TopicPartition, int]]], Awaitable[Mapping[tuple[TopicPartition, int], Seen | None]]]
"""Reads the record at each partition and offset; None if the partition does not hold it. Raises `KafkaError`."""


def seen(record: Any) -> Seen:
    """The contents of a record's headers."""
    headers = dict(record.headers)
    history = headers.get("ce_history")
    return Seen(
        offset=record.offset,
        seq=int(headers.get("ce_sequence", b"0")),
        id=headers.get("ce_id", b"").decode(),
        history=history.decode() if history else None,
        previous=int(headers.get("ce_previoussequence", b"0")),
    )


def tail_of(begin: int, end: int, records: Sequence[Any]) -> Tail:
    """The tail of a partition with these last records. Control records have no key, and do not count."""
    events = [seen(one) for one in records if one.key is not None]
    return Tail(begin, end, max(events, key=lambda one: one.seq, default=None))


def tails_of(brokers: Brokers) -> Tails:
    """Reads tails from `brokers`."""

    async def tails(places: Sequence[TopicPartition]) -> Mapping[TopicPartition, Tail]:
        if not places:
            return {}
        async with _reader(brokers) as reader:
            at = [TopicPartition(*place) for place in places]
            begins, ends = await reader.beginning_offsets(at), await reader.end_offsets(at)
            starts = {place: max(begins[place], ends[place] - TAIL_RECORDS) for place in at}
            found = await _between(reader, starts, ends)
            return {tuple(place): tail_of(begins[place], ends[place], found[place]) for place in at}

    return tails


def looks_at(brokers: Brokers) -> Look:
    """Reads single records by partition and offset; None if the partition does not hold the record."""

    async def look(wanted: Collection[tuple[TopicPartition, int]]) -> dict[tuple[TopicPartition, int], Seen | None]:
        if not wanted:
            return {}
        async with _reader(brokers) as reader:
            places = {TopicPartition(*place) for place, _ in wanted}
            begins, ends = await reader.beginning_offsets(places), await reader.end_offsets(places)
            return {one: await _one(reader, TopicPartition(*one[0]), one[1], begins, ends) for one in wanted}

    return look


async def _one(reader: Any, place: Any, offset: int, begins: Mapping[Any, int], ends: Mapping[Any, int]) -> Seen | None:
    if not begins[place] <= offset < ends[place]:
        return None
    found = (await _between(reader, {place: offset}, {place: offset + 1}))[place]
    return seen(found[0]) if found else None


async def between(brokers: Brokers, at: TopicPartition, start: int, end: int) -> list[Seen]:
    """The events on a partition from offset `start` to below `end`."""
    async with _reader(brokers) as reader:
        place = TopicPartition(*at)
        found = (await _between(reader, {place: start}, {place: end}))[place]
        return [seen(one) for one in found if one.key is not None]


@dataclass(frozen=True, slots=True)
class Opening:
    """What the first records of a topic say: the histories of its store (empty if its relay wrote none yet), and
    whether it stands `instead` of generations with events that never happened."""

    histories: Histories = ()
    instead: bool = False


async def opening_of(brokers: Brokers, topic: str, partitions: int) -> Opening:
    """The opening record of a generation; if it has none, the history of its first events."""
    async with _reader(brokers) as reader:
        places = [TopicPartition(topic, partition) for partition in range(partitions)]
        begins, ends = await reader.beginning_offsets(places), await reader.end_offsets(places)
        filled = {place: begins[place] for place in places if begins[place] < ends[place]}
        found = await _between(reader, filled, {place: begin + 1 for place, begin in filled.items()})
        for first in (records[0] for records in found.values() if records):
            if opens(first):
                told = orjson.loads(first.value)
                return Opening(of_json(told["histories"]), told.get("rewound", False))
            if nonce := seen(first).history:
                return Opening([History(1, nonce, 1)])
        return Opening()


async def continues_at(brokers: Brokers, at: TopicPartition, applied_seq: int, next_offset: int) -> int | None:
    """The offset at which a reader that has applied all numbers up to `applied_seq` reads on; the end of the partition
    if nothing is left to apply. None if the next record is missing, or may have been deleted from `next_offset` on.

    Reads the partition from its beginning: records that were sent again may lie after records that were sent too early.
    """
    async with _reader(brokers, SCAN_WITHIN_S) as reader:
        place = TopicPartition(*at)
        begin, end = (await reader.beginning_offsets([place]))[place], (await reader.end_offsets([place]))[place]
        reader.assign([place])
        reader.seek(place, begin)
        missing = begin > next_offset
        while await reader.position(place) < end:
            for records in (await reader.getmany(place, timeout_ms=100)).values():
                for one in map(seen, records):
                    if one.seq > applied_seq and one.previous <= applied_seq:
                        return one.offset
                    missing |= one.seq > applied_seq
        return None if missing else int(end)


def opens(record: Any) -> bool:
    """Whether the record begins a generation."""
    return record.key is None and ("ce_type", OPENED_TYPE.encode()) in record.headers


@contextlib.asynccontextmanager
async def _reader(brokers: Brokers, within_s: float = READ_WITHIN_S) -> AsyncIterator[Any]:
    """A consumer that moves nobody's position. Raises `KafkaTimeoutError` after `within_s`."""
    reader = AIOKafkaConsumer(
        **brokers.client(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=50,
    )
    try:
        async with asyncio.timeout(within_s):
            await reader.start()
            yield reader
    except TimeoutError as late:
        raise KafkaTimeoutError(f"the topics were not read within {within_s:.0f} s") from late
    finally:
        await closed(reader.stop)


async def _between(reader: Any, starts: Mapping[Any, int], ends: Mapping[Any, int]) -> dict[Any, list[Any]]:
    """The records of each partition from its start to below its end. Some offsets hold no record."""
    found: dict[Any, list[Any]] = {place: [] for place in starts}
    left = [place for place, start in starts.items() if start < ends[place]]
    reader.assign(left)
    for place in left:
        reader.seek(place, starts[place])
    while left:
        for place, records in (await reader.getmany(*left, timeout_ms=100)).items():
            found[place].extend(one for one in records if one.offset < ends[place])
        left = [place for place in left if await reader.position(place) < ends[place]]
    return found
