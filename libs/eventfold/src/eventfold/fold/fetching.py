"""aiokafka's fetcher, changed in two places: for consumers that are set `in_batches` it hands out batches instead of
records, and brokers do not hold back a fetch that leaves partitions out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiokafka.consumer import consumer as aiokafka_consumer
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.errors import CorruptRecordException

from eventfold.fold.kafka_batches import Part, Records, Slices, is_dense, parsed

PARTIAL_WAIT_MS = 20
"""How long the broker may hold back a fetch that leaves partitions out."""


def _batches(key: bytes) -> bytes:
    """Stands where a consumer has the function that decodes keys, and marks it as one that takes batches."""
    return key


def in_batches(consumer: Any) -> Any:
    """The consumer, which is not started yet. Its `getmany` now returns `Records` where it can, else lists of records
    as the C parser made them."""
    fetcher.MemoryRecords = Slices
    fetcher.PartitionRecords = PartitionRecords
    fetcher.FetchResult = FetchResult
    aiokafka_consumer.Fetcher = Fetcher
    consumer._key_deserializer = _batches
    return consumer


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Batches that are taken whole, or records as the C parser made them: wrapping each once more costs as much as
    parsing it."""

    iterated = False
    next_fetch_offset: int

    @property
    def plain(self) -> bool:
        """Whether its consumer takes records as they come."""
        return self._key_deserializer is _batches

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # An iterator that is not begun refers back to this: together they would keep megabytes until the next search
        # for garbage, which a worker makes seldom.
        self._records_iterator = None

    def __iter__(self) -> Any:
        self._begin()
        return self._records_iterator if self.plain else self  # without a call of `__next__` for each record

    def __next__(self) -> Any:
        self._begin()
        return super().__next__()

    def _begin(self) -> None:
        if not self.iterated:
            self._records_iterator = self._unpack_records()
        self.iterated = True

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if self.plain else super()._consumer_record(tp, record)

    @property
    def takes_batches(self) -> bool:
        """Whether batches can be handed out: not if transactions count, and not after a record was."""
        return self.plain and not self.iterated and self._isolation_level != READ_COMMITTED

    def take(self, most: int) -> Records | None:
        """Whole batches of at most `most` records together, or the beginning of one; None if the next batch must be
        parsed, or if no record is left. Raises `CorruptRecordException`."""
        parts: list[Part] = []
        while most > 0 and (data := self._records.peek()) is not None and is_dense(data):
            batch = parsed(data)
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            start = max(0, self.next_fetch_offset - batch.base_offset)
            stop = batch.next_offset - batch.base_offset
            if not batch.is_control_batch and start < stop:
                if parts and stop - start > most:
                    break
                parts.append(Part(data, start, min(stop, start + most)))
                most -= parts[-1].stop - start
                self.next_fetch_offset = batch.base_offset + parts[-1].stop
            else:
                self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)
            if self.next_fetch_offset >= batch.next_offset:
                self._records.skip()
        return Records(parts) if parts else None


class FetchResult(fetcher.FetchResult):  # type: ignore[misc]
    """Hands out batches where it can."""

    _partition_records: PartitionRecords | None

    def getall(self, max_records: int | None = None) -> Any:
        """At most `max_records` records: `Records`, or a list."""
        held = self._partition_records
        if held is None or max_records is None or not held.takes_batches:
            return super().getall(max_records)
        if not self.check_assignment(self._topic_partition):
            return []
        found = held.take(max_records)
        if found is None and held._records.has_next():
            return super().getall(max_records)
        self._update_position()
        if not held._records.has_next():
            self._partition_records = None
        return found or []


class Fetcher(fetcher.Fetcher):  # type: ignore[misc]
    """Lets the broker wait for records only while all partitions are asked for.

    There is one fetch at a time per broker. It leaves out partitions that are paused, and partitions with fetched
    records not yet taken. Without this class they would stand still until another partition has a record, or until the
    wait is over.
    """

    def _get_actions_per_node(self, assignment: Any) -> Any:
        requests, *rest = super()._get_actions_per_node(assignment)
        if requests:
            assigned = Counter(map(self._select_read_replica, assignment.tps))
            for node, request in requests:
                if sum(len(partitions) for _, partitions in request.topics) < assigned[node]:
                    request._max_wait_ms = min(request._max_wait_ms, PARTIAL_WAIT_MS)
        return requests, *rest
