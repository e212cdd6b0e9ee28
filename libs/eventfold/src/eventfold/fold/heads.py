"""What batches of records say of each record's place, read into columns without making an object of any record.

A record in Kafka's format (message format v2, "Record") is written with the same encoding of numbers and bytes as an
Avro record: zigzag varints, and bytes with their length before them. Batches whose records all have the headers of the
first are therefore Avro blocks, with the names of headers as constants of fixed size. Whether the records are as
assumed is checked: by the names, by the number of headers and by the lengths. Where they are not, records are parsed
one by one. Imported only where batches are applied as sets, as `columns` is.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import polars as pl

from eventfold.fold.columns import SYNC, Unreadable, container, readable, zigzag
from eventfold.fold.kafka_batches import Part, Records, parsed
from eventfold.fold.readmodel import TYPE_HEADER
from eventfold.fold.runs import UNTOLD, Heads

LENGTH, VALUE = "length", "value"
SEQ, PREVIOUS, TIME, HISTORY = "ce_sequence", "ce_previoussequence", "ce_time", "ce_history"
TRACEPARENT = "traceparent"
NEEDED, WANTED = (TYPE_HEADER, SEQ, TIME), (TYPE_HEADER, SEQ, TIME, PREVIOUS, HISTORY, TRACEPARENT)
SHAPES_REMEMBERED = 256
MOST = 63
"""Headers of a record, and bytes of a header's name: so that these numbers take one byte each."""


class Shape(NamedTuple):
    """How the records of batches are laid out, if all have the same headers."""

    header: bytes
    columns: list[str]
    constants: dict[str, bytes]
    """Columns that hold the same everywhere: names of headers, each with the bytes before it."""


class BatchColumns:
    """Heads and values of `Records`."""

    def __init__(self, frame: pl.DataFrame, heads: Heads) -> None:
        self.frame = frame
        self.heads = heads

    @property
    def last_time(self) -> bytes:
        """`ce_time` of the last record."""
        return bytes(self.frame[TIME][-1])

    @property
    def traceparents(self) -> Sequence[bytes | None]:
        """`traceparent` of each record."""
        named = TRACEPARENT in self.frame.columns
        return self.frame[TRACEPARENT].to_list() if named else [None] * self.frame.height

    @property
    def last_history(self) -> bytes | None:
        """`ce_history` of the last record."""
        return bytes(self.frame[HISTORY][-1]) if HISTORY in self.frame.columns else None


def columns_of(runs: Sequence[Records]) -> list[BatchColumns]:
    """The columns of each of several runs, which are read together: a call of polars costs as much as reading a hundred
    records. Raises `Unreadable`."""
    parts = [part for run in runs for part in run.parts]
    if not parts:
        return []
    frame = _read(parts)
    seqs, previous = _numbers(frame, SEQ), _numbers(frame, PREVIOUS)
    found, at = [], 0
    for run in runs:
        first, last = run.parts[0], run.parts[-1]
        size, start = sum(part.size for part in run.parts), at + first.start
        stop = start + len(run)
        if stop != at + size - (last.size - last.stop):
            raise Unreadable("a batch in between is taken in part")
        offsets = [n for part in run.parts for n in part.offsets]
        heads = Heads(offsets, seqs[start:stop], previous[start:stop])
        found.append(BatchColumns(frame.slice(start, stop - start), heads))
        at += size
    return found


def _numbers(frame: pl.DataFrame, name: str) -> list[int]:
    """The numbers in a header; `UNTOLD` where it is not there."""
    if name not in frame.columns:
        return [UNTOLD] * frame.height
    with readable(name):
        return frame[name].cast(pl.String).cast(pl.Int64).to_list()


def _read(parts: Sequence[Part]) -> pl.DataFrame:
    """The value and those of the `WANTED` headers that there are, for each record of whole batches."""
    shape = _shape(tuple(name for name, _ in next(iter(parsed(parts[0].data))).headers))
    bodies, rows = [part.body for part in parts], sum(part.size for part in parts)
    blocks = [shape.header]
    for part, body in zip(parts, bodies, strict=True):
        blocks += (zigzag(part.size), zigzag(len(body)), body, SYNC)
    with readable("a batch"):
        found = pl.read_avro(io.BytesIO(b"".join(blocks)), columns=shape.columns)
    _check(found, shape, rows, sum(map(len, bodies)))
    return found.drop(LENGTH, *shape.constants)


def _check(found: pl.DataFrame, shape: Shape, rows: int, size: int) -> None:
    """Raises `Unreadable` unless each record is laid out as the first: its bytes are all read, and each name is where
    it is in the first."""
    length = pl.col(LENGTH)
    size_of_length = 1 + sum((length >= 1 << bits).cast(pl.Int64) for bits in (6, 13, 20, 27))
    constant = [(pl.col(name) == value).all() for name, value in shape.constants.items()]
    read_size, *as_assumed = found.select((length + size_of_length).sum(), *constant).row(0)
    if found.height != rows or read_size != size or not all(as_assumed):
        raise Unreadable("records of a batch have different headers")


@lru_cache(SHAPES_REMEMBERED)
def _shape(names: tuple[str, ...]) -> Shape:
    """The layout of records with these headers. Raises `Unreadable` if one that is needed is missing or comes twice."""
    if not set(NEEDED) <= set(names) or len(set(names)) < len(names) or max(map(len, names)) > MOST:
        raise Unreadable("a header is missing, comes twice or has a long name")
    fields, constants = [*_BEFORE], dict[str, bytes]()
    lengths = {len(name) for name in names if name in WANTED}
    for n, name in enumerate(names):
        before = zigzag(len(names)) if n == 0 else b""
        constant = before + zigzag(len(name.encode())) + name.encode()
        fields += (_fixed(f"name {n}", len(constant)), {"name": name, "type": "bytes"})
        if n == 0 or len(name) in lengths:  # another name of this length could be one that is wanted
            constants[f"name {n}"] = constant
    columns = [LENGTH, VALUE, *constants, *(name for name in names if name in WANTED)]
    return Shape(container({"type": "record", "name": "record", "fields": fields}), columns, constants)


def _fixed(name: str, size: int) -> dict[str, object]:
    return {"name": name, "type": {"type": "fixed", "name": name.replace(" ", "_"), "size": size}}


_BEFORE = (
    {"name": LENGTH, "type": "long"},
    _fixed("attributes", 1),
    {"name": "timestamp delta", "type": "long"},
    {"name": "offset delta", "type": "long"},
    {"name": "key", "type": "bytes"},
    {"name": VALUE, "type": "bytes"},
)
