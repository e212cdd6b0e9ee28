"""The events of a fetch as columns, by type: decoded once for all projections, and grouped while the database is busy
with the fetch before. Imported only where batches are applied as sets, as `columns` is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple, cast

import polars as pl

from eventfold.fold.columns import Blocks, Unreadable, readable
from eventfold.fold.grouping import ORDER, Statement, statements
from eventfold.fold.heads import VALUE
from eventfold.fold.readmodel import TYPE_HEADER, Projection
from eventfold.fold.runs import Fresh, Run

FRAME, TYPE = "frame", TYPE_HEADER
SINGLE_OBJECT, SINGLE_OBJECT_BYTES, REGISTERED_BYTES = b"\xc3\x01", 10, 5
"""Single-object encoding, and the bytes before a datum in it and in Confluent's framing."""

Fields = Mapping[bytes, Sequence[str]]
"""The fields that are read of each type, by its `ce_type`."""


def fields_of(projections: Iterable[Projection]) -> Fields:
    """All fields that the merges of these projections read."""
    found: dict[bytes, dict[str, None]] = {}
    for part in (part for one in projections for merge in one.merges for part in merge.parts):
        paths = [path for value in (*part.key, *part.columns.values()) for path in value.paths]
        found.setdefault(part.event.header, {}).update(dict.fromkeys(path.split(".")[0] for path in paths))
    return {header: tuple(names) for header, names in found.items()}


class Grouped(NamedTuple):
    """Events merged for a projection: how many it names, and the statements that write them."""

    events: int
    statements: Sequence[Statement]


class Fetched:
    """Runs as columns, and what they come to for each projection that was prepared."""

    def __init__(self, runs: Sequence[Run], frames: Mapping[bytes, pl.DataFrame]) -> None:
        self._starts = dict(zip(map(id, runs), accumulate(map(len, runs), initial=0), strict=False))
        self._frames = frames
        self._known: dict[tuple[str, frozenset[int]], Grouped] = {}

    @staticmethod
    def read(runs: Sequence[Run], fields: Fields, blocks: Blocks) -> Fetched:
        """The runs with these fields. Raises `Unreadable`."""
        found: dict[bytes, list[pl.DataFrame]] = {}
        for kind, part in _by_frame(pl.concat(map(_frame, runs))):
            block = blocks.of(part[VALUE][0])
            if block.type != kind:
                raise Unreadable("a value is of another type than its header says")
            if kind in fields:
                columns = block.read(part[VALUE].to_list(), fields[kind])
                found.setdefault(kind, []).append(columns.with_columns(part[ORDER]))
        return Fetched(runs, {kind: _together(parts) for kind, parts in found.items()})

    def grouped(self, projection: Projection, fresh: Fresh) -> Grouped:
        """These records, merged for a projection. What whole runs come to is remembered: it is asked for twice, first
        while the database is busy. Raises `Unreadable`."""
        whole = frozenset(id(run) for run, some in fresh if len(some) == len(run))
        key = (projection.name, whole if len(whole) == len(fresh) else frozenset())
        if not key[1]:
            return _grouped(projection, self._of(fresh))
        if key not in self._known:
            everything = len(fresh) == len(self._starts)
            self._known[key] = _grouped(projection, self._frames if everything else self._of(fresh))
        return self._known[key]

    def _of(self, fresh: Fresh) -> Mapping[bytes, pl.DataFrame]:
        wanted = pl.Series(ORDER, [self._starts[id(run)] + n for run, some in fresh for n in some], dtype=pl.UInt32)
        return {kind: frame.filter(frame[ORDER].is_in(wanted.implode())) for kind, frame in self._frames.items()}


def _grouped(projection: Projection, frames: Mapping[bytes, pl.DataFrame]) -> Grouped:
    named = {kind.header: frames[kind.header] for kind in projection.on if kind.header in frames}
    found = [one for merge in projection.merges for one in statements(merge, named)]
    return Grouped(sum(frame.height for frame in named.values()), found)


def _frame(run: Run) -> pl.DataFrame:
    """Type and value of each record."""
    if run.columns is not None:
        return cast("pl.DataFrame", run.columns.frame.select(TYPE, VALUE))
    rows = {TYPE: [one.get(TYPE) for one in run.headers], VALUE: [one.value for one in run.records]}
    with readable("a run"):
        return pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.Binary))


def _by_frame(table: pl.DataFrame) -> list[tuple[bytes | None, pl.DataFrame]]:
    """The values of each type and frame, with their places in the fetch."""
    if table[VALUE].null_count():
        raise Unreadable("a record without a value")
    frame = (
        pl.when(pl.col(VALUE).bin.starts_with(SINGLE_OBJECT))
        .then(pl.col(VALUE).bin.head(SINGLE_OBJECT_BYTES))
        .otherwise(pl.col(VALUE).bin.head(REGISTERED_BYTES))
    )
    table = table.with_row_index(ORDER).with_columns(frame.alias(FRAME))
    return [(part[TYPE][0], part) for part in table.partition_by(TYPE, FRAME, maintain_order=True)]


def _together(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Parts that were written with different schemas, in the order of the fetch."""
    return parts[0] if len(parts) == 1 else pl.concat(parts, how="vertical_relaxed").sort(ORDER)
