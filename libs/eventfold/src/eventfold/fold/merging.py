"""Rules as sets: a batch of events changes a table by one statement for each set of columns, and no row is read.

Sums, least, most, latest and last values can be put together before the database sees them, and merged with what a row
holds: added, compared, or put in its place. `merges_of` says whether all rules of a projection are of this kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eventfold.fold.tables import CHANGED_IN, ReadTable
from eventfold.fold.values import Value
from eventfold.vocabulary.public import PublicType

COMPARED = ("bigint", "timestamptz", "date")
"""Types whose order is the same here and in PostgreSQL. Texts are ordered by a collation there."""


@dataclass(frozen=True, slots=True)
class How:
    """How a column is merged; `latest` compares by the column `by`."""

    kind: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What one type of event does to a table. Without `creates`, it changes rows only where they are."""

    event: PublicType[Any]
    key: tuple[Value, ...]
    columns: Mapping[str, Value]
    how: Mapping[str, How]
    """Of each of these columns."""
    creates: bool


@dataclass(frozen=True)
class TableMerge:
    """How a table is changed by all its types of events."""

    table: ReadTable[Any]
    parts: tuple[Part, ...]
    how: Mapping[str, How]
    """Of each column outside the key that some event changes."""

    @cached_property
    def start(self) -> Mapping[str, Any]:
        """What a new row holds before any change, by column outside the key."""
        others = self.table.columns[len(self.table.key_columns) :]
        return {name: self.table.row_class._field_defaults.get(name) for name in others}

    @cached_property
    def sometimes(self) -> tuple[str, ...]:
        """The columns whose last value is kept and which only some of the events set: of a row that none of them
        touched they stay as they are."""
        return tuple(
            name
            for name, how in self.how.items()
            if how.kind == "sets" and any(name not in part.columns for part in self.parts)
        )

    def upsert_sql(self, untouched: Iterable[str] = ()) -> str:
        """Insert rows with all columns, or merge them into those of the same key, without the columns `untouched`."""
        table, left = self.table, set(untouched)
        merged = [_merged(name, how) for name, how in self.how.items() if name not in left]
        changes = [*merged, *([f"{CHANGED_IN} = EXCLUDED.{CHANGED_IN}"] if table.followed else [])]
        action = f"UPDATE SET {', '.join(changes)}" if changes else "NOTHING"
        return (
            f"INSERT INTO {table.name} AS t ({', '.join(table.columns)}) "
            f"SELECT * FROM {table.unnest(len(table.columns))} "
            f"ON CONFLICT ({', '.join(table.key_columns)}) DO {action}"
        )

    def update_sql(self, touched: Iterable[str]) -> str:
        """Set the columns `touched` of rows where they are; takes the arrays of `upsert_sql`."""
        table = self.table
        changed = [f"{name} = k.{name}" for name in touched]
        changed += [f"{CHANGED_IN} = pg_current_xact_id()"] if table.followed else []
        match = " AND ".join(f"t.{name} = k.{name}" for name in table.key_columns)
        return (
            f"UPDATE {table.name} t SET {', '.join(changed)} "
            f"FROM {table.unnest(len(table.columns))} AS k({', '.join(table.columns)}) WHERE {match}"
        )


def _merged(name: str, how: How) -> str:
    if how.kind == "adds":
        return f"{name} = t.{name} + EXCLUDED.{name}"
    if how.kind in ("least", "most"):  # both leave NULLs out
        return f"{name} = {'LEAST' if how.kind == 'least' else 'GREATEST'}(t.{name}, EXCLUDED.{name})"
    if how.kind == "latest":
        newer = f"t.{how.by} IS NULL OR EXCLUDED.{how.by} >= t.{how.by}"
        return f"{name} = CASE WHEN {newer} THEN EXCLUDED.{name} ELSE t.{name} END"
    return f"{name} = EXCLUDED.{name}"


def merges_of(parts: Mapping[ReadTable[Any], Sequence[Part]]) -> tuple[TableMerge, ...]:
    """How each table is merged; nothing if one of them cannot be."""
    merges = [_merge(table, given) for table, given in parts.items()]
    return tuple(one for one in merges if one is not None) if all(merges) else ()


def _merge(table: ReadTable[Any], parts: Sequence[Part]) -> TableMerge | None:
    how: dict[str, How] = {}
    for part in parts:
        for name, one in part.how.items():
            if how.setdefault(name, one) != one:
                return None
    merge = TableMerge(table, tuple(parts), how)
    fits = all(_fits(merge, name, one) for name, one in how.items())
    return merge if fits and _latest_together(merge) and _known_only_last(merge) else None


def _fits(merge: TableMerge, name: str, how: How) -> bool:
    """Whether PostgreSQL and Python would merge the column to the same value."""
    kind, nullable = dict(zip(merge.table.columns, merge.table.types, strict=True))[name]
    if how.kind == "adds":
        return kind == "bigint" and not nullable and not merge.start[name]
    if how.kind == "latest":
        by_kind, _ = dict(zip(merge.table.columns, merge.table.types, strict=True))[how.by]
        return by_kind in COMPARED and merge.start[how.by] is None
    return how.kind == "sets" or kind in COMPARED


def _latest_together(merge: TableMerge) -> bool:
    """Whether columns that are compared by the same column always change together."""
    for part in merge.parts:
        marks = {merge.how[name].by for name in part.columns if merge.how[name].kind == "latest"}
        if any(one.by in marks and name not in part.columns for name, one in merge.how.items()):
            return False
    return True


def _known_only_last(merge: TableMerge) -> bool:
    """Whether what changes rows only where they are does not matter before a row is created: it sets columns that each
    creating event sets, too."""
    creating = [part for part in merge.parts if part.creates]
    return all(
        merge.how[name].kind == "sets" and all(name in one.columns for one in creating)
        for part in merge.parts
        if not part.creates
        for name in part.columns
    )


def only_values(values: Iterable[Callable[[Any], Any]]) -> tuple[Value, ...] | None:
    """The values, if none of them is a function."""
    found = tuple(values)
    return found if all(isinstance(one, Value) for one in found) else None  # type: ignore[return-value]
