"""Runs: the records of one partition in the order of their offsets, and what their headers say of their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from operator import attrgetter, le, lt
from typing import Any, NamedTuple, Protocol, overload

from typing_extensions import override

from eventfold.fold import crossing
from eventfold.fold.readmodel import ConsumedRecord, PublicRecord

UNTOLD = -1
"""Stands for the number of the record before, where a relay did not write it."""

_KEY = attrgetter("key")


class Columns(Protocol):
    """The heads and values of records, read without making an object of each."""

    @property
    def heads(self) -> Heads:
        """Of each record."""

    @property
    def last_time(self) -> bytes:
        """`ce_time` of the last record."""

    @property
    def last_history(self) -> bytes | None:
        """`ce_history` of the last record."""

    @property
    def traceparents(self) -> Sequence[bytes | None]:
        """`traceparent` of each record."""

    @property
    def frame(self) -> Any:
        """`ce_type` and value of each record, a polars DataFrame."""


Decode = Callable[[Sequence[ConsumedRecord]], Sequence[Any]]
"""The data of each of these records, in order; raises what the codec raises."""


class PartitionBatch(NamedTuple):
    """A contiguous run of records of one partition, as fetched."""

    topic: str
    partition: int
    records: Sequence[ConsumedRecord]


class Heads(NamedTuple):
    """What the headers of records say of their places, record by record."""

    offsets: Sequence[int]
    seqs: Sequence[int]
    """`ce_sequence`."""
    previous: Sequence[int]
    """The number of the record before on the partition, or `UNTOLD`."""


class Run(Sequence[PublicRecord[Any]]):
    """Records of one partition, without a gap. Their data is decoded when they are first looked at as events: a batch
    that is applied as a set never is."""

    def __init__(self, batch: PartitionBatch, decode: Decode, columns: Columns | None = None) -> None:
        """`columns` are the heads of the records, where they were read so. Otherwise raises KeyError or ValueError for
        a record without a number."""
        self.topic, self.partition, self.records = batch
        self.columns = columns
        self._decode = decode
        self.heads = columns.heads if columns else self._heads()
        self.fetched: Any = None
        """The fetch that it belongs to as columns (`Fetched`), if it was read so."""

    def _heads(self) -> Heads:
        return Heads(
            [one.offset for one in self.records],
            [int(one["ce_sequence"]) for one in self.headers],
            [int(one.get("ce_previoussequence", UNTOLD)) for one in self.headers],
        )

    @cached_property
    def headers(self) -> Sequence[Mapping[str, bytes]]:
        """All headers of each record. If several have the same name, the last one counts."""
        return [dict(one.headers) for one in self.records]

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
        _, seqs, previous = self.heads
        return all(map(lt, seqs, seqs[1:])) and all(map(le, previous[1:], seqs))

    def continues(self, applied: int) -> bool:
        """Whether all of it comes after the number `applied`, and nothing is missing before it or within it."""
        return self.heads.previous[0] <= applied < self.heads.seqs[0] and self.plain

    @cached_property
    def has_control_records(self) -> bool:
        """Whether it has records without a key, which only begin or close a topic."""
        return self.columns is None and not all(map(_KEY, self.records))

    @property
    def closes(self) -> bool:
        """Whether its last record closes the partition."""
        return self.columns is None and crossing.closes(self.records[-1])

    @property
    def causes(self) -> Iterator[Mapping[str, bytes]]:
        """The headers of each record that name the span which caused it."""
        if self.columns is None:
            return iter(self.headers)
        return ({"traceparent": one} if one else {} for one in self.columns.traceparents)

    @property
    def occurred_at(self) -> datetime:
        """Business time of the last record."""
        last = self.columns.last_time if self.columns else self.headers[-1]["ce_time"]
        return datetime.fromisoformat(last.decode())

    @property
    def history(self) -> str | None:
        """The history of the last record."""
        value = self.columns.last_history if self.columns else self.headers[-1].get("ce_history")
        return value.decode() if value else None

    def __len__(self) -> int:
        return len(self.heads.offsets)

    @overload
    def __getitem__(self, at: int) -> PublicRecord[Any]: ...

    @overload
    def __getitem__(self, at: slice) -> Run: ...

    @override
    def __getitem__(self, at: int | slice) -> PublicRecord[Any] | Run:
        if isinstance(at, int):
            return self.events[at]
        part = Run(PartitionBatch(self.topic, self.partition, self.records[at]), self._decode)
        if "events" in self.__dict__:
            part.__dict__["events"] = self.events[at]
        return part

    @override
    def __iter__(self) -> Iterator[PublicRecord[Any]]:
        return iter(self.events)


Fresh = Sequence[tuple[Run, Sequence[int]]]
"""The records of each run that a handler has not applied, by their places in it."""
