"""Columns of events, grouped by key and merged: what is left is one row for each key, and a statement for the rows of
each table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from eventfold.fold.columns import Unreadable
from eventfold.fold.merging import Part, TableMerge
from eventfold.fold.values import Always, Field, Minus, Missing, Value, Where
from eventfold.measured.arrays import literal

ORDER = "order of arrival"
PART = "part"
CREATED = "created"
MOST_ADDED = 2**40
"""The greatest amount that is summed up here: the sum of a batch of greater ones might not fit into 64 bits."""

_TYPES: Mapping[str, pl.DataType] = {
    "text": pl.String(),
    "bigint": pl.Int64(),
    "double precision": pl.Float64(),
    "boolean": pl.Boolean(),
    "bytea": pl.Binary(),
    "timestamptz": pl.Datetime("us", "UTC"),
    "date": pl.Date(),
}


class Statement(NamedTuple):
    """A statement and its array literals, one for each column."""

    sql: str
    arrays: list[str]


def statements(merge: TableMerge, frames: Mapping[bytes, pl.DataFrame]) -> list[Statement]:
    """What merges these events into the table: `frames` are columns by `ce_type`, with `ORDER`. Raises `Unreadable` if
    a value is missing where one is compared or added, or is of another type than its column."""
    given = [
        _columns(merge, number, part, frames[part.event.header])
        for number, part in enumerate(merge.parts)
        if part.event.header in frames
    ]
    if not given:
        return []
    events = given[0] if len(given) == 1 else pl.concat(given, how="diagonal")
    if len(given) > 1 and any(how.kind in ("sets", "latest") for how in merge.how.values()):
        events = events.sort(ORDER, maintain_order=True)
    keys = list(merge.table.key_columns)
    rows = events.group_by(keys).agg(_merged(merge, events.columns)).sort(keys)
    return [_statement(merge, part) for part in _alike(merge, rows)]


def _columns(merge: TableMerge, number: int, part: Part, frame: pl.DataFrame) -> pl.DataFrame:
    kinds = {name: kind for name, (kind, _) in zip(merge.table.columns, merge.table.types, strict=True)}
    keys = dict(zip(merge.table.key_columns, part.key, strict=True))
    taken = {**keys, **part.columns}
    order, number_of = pl.col(ORDER), pl.lit(number, pl.UInt8).alias(PART)
    try:
        found = frame.select(order, number_of, *(_expression(one).alias(name) for name, one in taken.items()))
        found = found.with_columns(_cast(found[name], kinds[name]) for name in taken)
    except pl.exceptions.PolarsError as failure:
        raise Unreadable(f"{merge.table.name}: {type(failure).__name__}") from failure
    never_null = [name for name in taken if name in keys or part.how[name].kind in ("adds", "least", "most")]
    never_null += [one.by for one in part.how.values() if one.by]
    if sum(found.select(pl.col(never_null).null_count()).row(0)):
        raise Unreadable(f"{merge.table.name}: a value is missing")
    _check_sums([found[name] for name, how in part.how.items() if how.kind == "adds"])
    return found


def _expression(value: Value) -> pl.Expr:
    if isinstance(value, Always):
        return pl.lit(value.value)
    if isinstance(value, Field):
        first, *others = value.path.split(".")
        found = pl.col(first)
        for name in others:
            found = found.struct.field(name)
        return found if value.otherwise is None else found.fill_null(pl.lit(value.otherwise))
    if isinstance(value, Missing):
        return _expression(Field(value.path)).is_null().cast(pl.Int64)
    if isinstance(value, Where):
        return pl.when(_expression(Field(value.flag))).then(_expression(value.value)).otherwise(0)
    if isinstance(value, Minus):
        return _expression(value.left).cast(pl.Int64) - _expression(value.right).cast(pl.Int64)
    raise Unreadable(f"{type(value).__name__} is not read as a column")


def _cast(found: pl.Series, kind: str) -> pl.Series:
    """A column of the type that its SQL type has; JSON stays as it is. Raises `Unreadable` for another type."""
    wanted = _TYPES.get(kind)
    if wanted is None or found.dtype == wanted:
        return found
    if found.dtype != pl.Null and not (kind == "bigint" and found.dtype.is_integer()):
        raise Unreadable(f"{found.name} is {found.dtype}")
    return found.cast(wanted)


def _check_sums(added: Sequence[pl.Series]) -> None:
    if any(not one.is_between(-MOST_ADDED, MOST_ADDED).all() for one in added):
        raise Unreadable("an amount is too large to be summed up")


def _merged(merge: TableMerge, columns: Sequence[str]) -> Iterator[pl.Expr]:
    """One row of all events of a key, with those of these columns that are merged."""
    for name, how in merge.how.items():
        if name not in columns:
            continue
        column = pl.col(name)
        if how.kind == "adds":
            yield column.sum()
        elif how.kind in ("least", "most"):
            yield _with_start(column.min() if how.kind == "least" else column.max(), merge, name)
        elif how.kind == "latest":
            yield (
                column.filter(pl.col(how.by).is_not_null())
                .sort_by(pl.col(how.by).filter(pl.col(how.by).is_not_null()), maintain_order=True)
                .last()
            )
        else:
            yield _from(merge, [name in part.columns for part in merge.parts], column).last()
            if name in merge.sometimes:
                yield _any(merge, [name in part.columns for part in merge.parts]).alias(_touched(name))
    if not all(part.creates for part in merge.parts):
        yield _any(merge, [part.creates for part in merge.parts]).alias(CREATED)


def _with_start(found: pl.Expr, merge: TableMerge, name: str) -> pl.Expr:
    """What a new row holds before any change counts, too."""
    if merge.start[name] is None:
        return found
    both = pl.min_horizontal if merge.how[name].kind == "least" else pl.max_horizontal
    return both(found, pl.lit(merge.start[name])).alias(name)


def _from(merge: TableMerge, which: Sequence[bool], column: pl.Expr) -> pl.Expr:
    """The values of events of these parts."""
    return column if all(which) else column.filter(_is_of(which))


def _any(merge: TableMerge, which: Sequence[bool]) -> pl.Expr:
    return _is_of(which).any()


def _is_of(which: Sequence[bool]) -> pl.Expr:
    return pl.col(PART).is_in([number for number, one in enumerate(which) if one])


def _touched(name: str) -> str:
    return f"{name} was set"


def _alike(merge: TableMerge, rows: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows of which the same columns were set; those that only change what is there apart from the others."""
    marks = [name for name in rows.columns if name == CREATED or name in map(_touched, merge.sometimes)]
    return rows.partition_by(marks, maintain_order=True) if marks else [rows]


def _statement(merge: TableMerge, rows: pl.DataFrame) -> Statement:
    untouched = [name for name in merge.sometimes if name not in rows.columns or not rows[_touched(name)][0]]
    if CREATED not in rows.columns or rows[CREATED][0]:
        sql = merge.upsert_sql(untouched)
    else:
        kept = [name for name, how in merge.how.items() if how.kind == "sets" and name not in untouched]
        sql = merge.update_sql(kept)
    return Statement(sql, [_array(merge, rows, name, kind, untouched) for name, kind in _kinds(merge)])


def _kinds(merge: TableMerge) -> list[tuple[str, str]]:
    return [(name, kind) for name, (kind, _) in zip(merge.table.columns, merge.table.types, strict=True)]


def _array(merge: TableMerge, rows: pl.DataFrame, name: str, kind: str, untouched: Sequence[str]) -> str:
    added = name in merge.how and merge.how[name].kind == "adds"
    start: Any = 0 if added else merge.start.get(name)
    if name not in rows.columns or name in untouched:
        return literal(kind, [start] * rows.height)
    values = rows[name].to_list()
    latest = name in merge.how and merge.how[name].kind == "latest"
    if latest and start is not None:  # no event of this key has the column
        by = rows[merge.how[name].by].to_list()
        values = [start if at is None else value for value, at in zip(values, by, strict=True)]
    return literal(kind, values)
