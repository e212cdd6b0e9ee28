"""Records as the broker sent them: batches of bytes, parsed only where records are looked at one by one.

A worker that applies fetches as sets reads a batch into columns (`heads`); making an object, a tuple and a string of
each record and header costs several times as much as everything else that it does with them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple, overload

from aiokafka import codec
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch
from typing_extensions import override

from eventfold.fold.readmodel import ConsumedRecord

LOG_OVERHEAD = struct.Struct(">qi")
"""Base offset, and the number of bytes that follow."""
MAGIC_AT, ATTRIBUTES = 16, struct.Struct(">hi")
ATTRIBUTES_AT, COUNT_AT, BODY_AT = 21, 57, 61
MAGIC, CODEC_MASK = 2, 0x07
_DECODERS = {1: codec.gzip_decode, 2: codec.snappy_decode, 3: codec.lz4_decode, 4: codec.zstd_decode}


class Slices:
    """The batches in a partition's part of a fetch, one after another. Stands in for aiokafka's `MemoryRecords`."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def size_in_bytes(self) -> int:
        """The bytes of all batches, and of what was cut off at the end."""
        return len(self._data)

    def has_next(self) -> bool:
        """Whether a whole batch is left."""
        return self._end() is not None

    def peek(self) -> memoryview | None:
        """The bytes of the next batch; None if there is none."""
        end = self._end()
        return None if end is None else self._data[self._at : end]

    def skip(self) -> None:
        """Go on to the next batch."""
        self._at = self._end() or self._at

    def next_batch(self) -> Any:
        """The next batch, for aiokafka's own parser; None if there is none."""
        data = self.peek()
        self.skip()
        return None if data is None else parsed(data)

    def _end(self) -> int | None:
        if len(self._data) - self._at < LOG_OVERHEAD.size:
            return None
        _, length = LOG_OVERHEAD.unpack_from(self._data, self._at)
        end = self._at + LOG_OVERHEAD.size + int(length)
        return end if end <= len(self._data) else None


def parsed(data: memoryview) -> Any:
    """The batch as aiokafka's parser in C gives it."""
    return DefaultRecordBatch(data) if data[MAGIC_AT] >= MAGIC else LegacyRecordBatch(data, data[MAGIC_AT])


class Part(NamedTuple):
    """Records `start` to `stop` of a batch whose offsets have no gaps."""

    data: memoryview
    start: int
    stop: int

    @property
    def base_offset(self) -> int:
        """The offset of the batch's first record."""
        return int(LOG_OVERHEAD.unpack_from(self.data)[0])

    @property
    def size(self) -> int:
        """The number of all records of the batch."""
        return count_of(self.data)

    @property
    def offsets(self) -> range:
        """The offsets of its records."""
        return range(self.base_offset + self.start, self.base_offset + self.stop)

    @property
    def body(self) -> bytes:
        """All its records, as bytes."""
        kind = ATTRIBUTES.unpack_from(self.data, ATTRIBUTES_AT)[0] & CODEC_MASK
        body = self.data[BODY_AT:].tobytes()
        return _DECODERS[kind](body) if kind else body

    def records(self) -> list[Any]:
        """Its records, parsed."""
        return list(parsed(self.data))[self.start : self.stop]


def count_of(data: memoryview) -> int:
    """The number of records in a batch."""
    return int.from_bytes(data[COUNT_AT:BODY_AT], "big")


def is_dense(data: memoryview) -> bool:
    """Whether each offset from the first to the last has a record: nothing was compacted."""
    return bool(data[MAGIC_AT] >= MAGIC and ATTRIBUTES.unpack_from(data, ATTRIBUTES_AT)[1] + 1 == count_of(data) > 0)


class Records(Sequence[ConsumedRecord]):
    """Records of one partition in the order of their offsets; never empty."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts

    @property
    def last_offset(self) -> int:
        """The offset of the last record."""
        return self.parts[-1].offsets[-1]

    @cached_property
    def parsed(self) -> list[ConsumedRecord]:
        """All of them, as aiokafka parses them."""
        return list(chain.from_iterable(part.records() for part in self.parts))

    def __len__(self) -> int:
        return sum(part.stop - part.start for part in self.parts)

    @overload
    def __getitem__(self, at: int) -> ConsumedRecord: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[ConsumedRecord]: ...

    @override
    def __getitem__(self, at: int | slice) -> ConsumedRecord | Sequence[ConsumedRecord]:
        return self.parsed[at]

    @override
    def __iter__(self) -> Iterator[ConsumedRecord]:
        return iter(self.parsed)


def below(records: Sequence[Any], offset: int) -> Sequence[Any]:
    """The records below an offset."""
    if not isinstance(records, Records):
        return [one for one in records if one.offset < offset]
    parts = [part._replace(stop=min(part.stop, offset - part.base_offset)) for part in records.parts]
    kept = [part for part in parts if part.start < part.stop]
    return Records(kept) if kept else []


def last_offset(records: Sequence[Any]) -> int:
    """The offset of the last of these records."""
    return records.last_offset if isinstance(records, Records) else int(records[-1].offset)
