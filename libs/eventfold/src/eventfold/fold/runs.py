"""Runs: the records of one partition in the order of their offsets, and what their headers say of their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from operator import attrgetter, le, lt
from typing import Any, NamedTuple, overload

from typing_extensions import override

from eventfold.fold.readmodel import TYPE_HEADER, ConsumedRecord, PublicRecord

UNTOLD = -1
"""Stands for the number of the record before, where a relay did not write it."""

_KEY = attrgetter("key")

Decode = Callable[[Sequence[ConsumedRecord]], Sequence[Any]]
"""The data of each of these records, in order; raises what the codec raises."""


class PartitionBatch(NamedTuple):
    """A contiguous run of records of one partition, as fetched."""

    topic: str
    partition: int
    records: Sequence[ConsumedRecord]


class Run(Sequence[PublicRecord[Any]]):
    """Records of one partition, without a gap. Their data is decoded when they are first looked at as events: a batch
    that is applied as a set never is."""

    def __init__(self, batch: PartitionBatch, decode: Decode, headers: Sequence[Mapping[str, bytes]] = ()) -> None:
        """Raises KeyError or ValueError for a record without a number."""
        self.topic, self.partition, self.records = batch
        self._decode = decode
        self.headers = headers or [dict(one.headers) for one in self.records]
        self.offsets = [one.offset for one in self.records]
        self.seqs = [int(one["ce_sequence"]) for one in self.headers]
        """`ce_sequence` of each record."""
        self.previous = [int(one.get("ce_previoussequence", UNTOLD)) for one in self.headers]
        """The number of the record before each on its partition, or `UNTOLD`."""
        self.fetched: Any = None
        """The fetch that it belongs to as columns (`Fetched`), if it was read so."""

    @cached_property
    def events(self) -> Sequence[PublicRecord[Any]]:
        """The events, decoded. Raises what the codec raises."""
        each = zip(self.records, self._decode(self.records), self.headers, strict=True)
        return [PublicRecord(self.topic, self.partition, one, data, headers) for one, data, headers in each]

    def decoded(self) -> Run:
        """Itself, when its events are decoded. Raises what the codec raises."""
        _ = self.events
        return self

    @cached_property
    def plain(self) -> bool:
        """Whether the numbers only grow and no record is missing between two: nothing was sent again."""
        return all(map(lt, self.seqs, self.seqs[1:])) and all(map(le, self.previous[1:], self.seqs))

    @cached_property
    def has_control_records(self) -> bool:
        """Whether it has records without a key, which only begin or close a topic."""
        return not all(map(_KEY, self.records))

    @property
    def types(self) -> Sequence[bytes | None]:
        """`ce_type` of each record."""
        return [one.get(TYPE_HEADER) for one in self.headers]

    @property
    def occurred_at(self) -> datetime:
        """Business time of the last record."""
        return datetime.fromisoformat(self.headers[-1]["ce_time"].decode())

    @property
    def history(self) -> str | None:
        """The history of the last record."""
        value = self.headers[-1].get("ce_history")
        return value.decode() if value else None

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, at: int) -> PublicRecord[Any]: ...

    @overload
    def __getitem__(self, at: slice) -> Run: ...

    @override
    def __getitem__(self, at: int | slice) -> PublicRecord[Any] | Run:
        if isinstance(at, int):
            return self.events[at]
        part = Run(PartitionBatch(self.topic, self.partition, self.records[at]), self._decode, self.headers[at])
        if "events" in self.__dict__:
            part.__dict__["events"] = self.events[at]
        return part

    @override
    def __iter__(self) -> Iterator[PublicRecord[Any]]:
        return iter(self.events)

    def continues(self, applied: int) -> bool:
        """Whether all of it comes after the number `applied`, and nothing is missing before it or within it."""
        return self.plain and self.previous[0] <= applied < self.seqs[0]


Fresh = Sequence[tuple[Run, Sequence[int]]]
"""The records of each run that a handler has not applied, by their places in it."""
