"""Declared projections: rules that say how each type of event changes the rows of a table.

    projection("counters", on(COUNTERS, LIKED, adds(likes=1)), on(COUNTERS, UNLIKED, adds(likes=-1)))

`adds`, `least`, `most` and `latest` declare changes whose result does not depend on the order of events. Declarations
are checked when they are made: a misspelt column or field ends the process at its start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Generic, Literal

from eventfold.fold.readmodel import TYPE_HEADER, Changes, Draft, Key, Projection, PublicRecord, ReadTable, Row, Rows
from eventfold.vocabulary.public import Data, PublicType

Of = Callable[[Data], Any]
"""Takes the value of a column from the data of an event."""
KeyOf = Callable[[Data], Key]


class NotDeclarable(TypeError):
    """A declaration names a column or field that its table or event type does not have, or leaves a column without a
    value."""

    def __init__(self, table: str, event: PublicType[Any], reason: str) -> None:
        super().__init__(f"table {table} on {event.name}: {reason}")
        self.table = table


@dataclass(frozen=True, slots=True)
class Change(Generic[Data]):
    """How an event changes columns. `latest` compares by the column `by`, which is one of them."""

    kind: Literal["adds", "least", "most", "latest", "sets"]
    columns: Mapping[str, Of[Data]]
    by: str = ""


def adds(**columns: int | Callable[[Data], int]) -> Change[Data]:
    """Add these amounts for each event."""
    return Change("adds", {name: _always(of) if isinstance(of, int) else of for name, of in columns.items()})


def least(**columns: Of[Data]) -> Change[Data]:
    """Keep the lowest value of all events."""
    return Change("least", columns)


def most(**columns: Of[Data]) -> Change[Data]:
    """Keep the highest value of all events."""
    return Change("most", columns)


def latest(by: str, **columns: Of[Data]) -> Change[Data]:
    """Keep the values of the event with the highest `by`; if several have the same, those of the last that arrived."""
    return Change("latest", columns, by)


def sets(**columns: Of[Data]) -> Change[Data]:
    """Keep the values of the last event. Only for rows whose events share a stream, and so have an order."""
    return Change("sets", columns)


def _always(value: int) -> Callable[[Any], int]:
    return lambda _: value


@dataclass(frozen=True, slots=True)
class Rule(Generic[Data]):
    """The effect of one type of event on one table. `becomes` takes the present row (None if there is none) and returns
    the next one, or None to change nothing. Without `reads`, the present row is not loaded. `changes` say the same as
    data, for a reader that applies them as a set; it is empty if a function defines the effect."""

    table: ReadTable[Any]
    event: PublicType[Data]
    key: KeyOf[Data]
    becomes: Callable[[Any, PublicRecord[Data]], Any]
    reads: bool = True
    changes: tuple[Change[Data], ...] = ()


def puts(table: ReadTable[Row], event: PublicType[Data], row: Callable[[Data], Row] | None = None) -> Rule[Data]:
    """Each event inserts a row or replaces the row of its key. Without `row`, the row is made of the event fields that
    have the names of the columns. Raises `NotDeclarable`."""
    if row is None:
        _check_fields(table, event, table.columns)
        copied, make = _several(table.columns), table.row_class._make  # type: ignore[attr-defined]
        return Rule(
            table=table,
            event=event,
            key=lambda data: table.key(make(copied(data))),
            becomes=lambda _, e: make(copied(e.data)),
            reads=False,
        )
    made = row
    return Rule(
        table=table, event=event, key=lambda data: table.key(made(data)), becomes=lambda _, e: made(e.data), reads=False
    )


def becomes(
    table: ReadTable[Row],
    event: PublicType[Data],
    then: Callable[[Row | None, PublicRecord[Data]], Row | None],
    key: KeyOf[Data] | None = None,
) -> Rule[Data]:
    """The general form: `then` returns the next row, or None to change nothing. Without `key`, the key is made of the
    event fields that have the names of the key columns. Raises `NotDeclarable`."""
    return Rule(table, event, key or _key_of(table, event), then)


def on(
    table: ReadTable[Row],
    event: PublicType[Data],
    *changes: Change[Data],
    key: KeyOf[Data] | None = None,
    known_only: bool = False,
) -> Rule[Data]:
    """Each event changes columns of its row. A missing row begins with the columns' defaults (None for optional
    columns); with `known_only`, a missing row is not created. The key is as in `becomes`. Raises `NotDeclarable`."""
    key_of, steps = key or _key_of(table, event), _steps(table, event, changes)
    start = _start(table, event, changes) if not known_only else []

    def then(row: Any, one: PublicRecord[Data]) -> Any:
        if row is None and known_only:
            return None
        values = list(row) if row is not None else [*key_of(one.data), *start]
        for step in steps:
            step(values, one.data)
        return table.row_class._make(values)  # type: ignore[attr-defined]

    return Rule(table=table, event=event, key=key_of, becomes=then, reads=True, changes=changes)


def projection(name: str, *rules: Rule[Any], partition_local: bool = False) -> Projection:
    """The projection made of these rules; see `Projection` for `partition_local`."""
    types = tuple(dict.fromkeys(rule.event for rule in rules))
    tables = tuple(dict.fromkeys(rule.table for rule in rules))
    return Projection(
        name=name, on=types, tables=tables, keys=_keys(rules), fold=_fold(rules), partition_local=partition_local
    )


def _keys(rules: Sequence[Rule[Any]]) -> Callable[[Sequence[PublicRecord]], Mapping[str, list[Key]]]:
    reading = _by_type(rule for rule in rules if rule.reads)

    def keys(events: Sequence[PublicRecord]) -> Mapping[str, list[Key]]:
        wanted: dict[str, list[Key]] = {rule.table.name: [] for rule in rules}
        for event in events:
            for rule in reading.get(event.headers[TYPE_HEADER], ()):
                wanted[rule.table.name].append(rule.key(event.data))
        return wanted

    return keys


def _fold(rules: Sequence[Rule[Any]]) -> Callable[[Rows, Sequence[PublicRecord]], Changes]:
    applying = _by_type(rules)

    def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
        draft = Draft(rows)
        for event in events:
            for rule in applying.get(event.headers[TYPE_HEADER], ()):
                present = draft.get(rule.table, rule.key(event.data)) if rule.reads else None
                if (row := rule.becomes(present, event)) is not None:
                    draft.put(rule.table, row)
        return draft.changes()

    return fold


def _by_type(rules: Iterable[Rule[Any]]) -> dict[bytes, list[Rule[Any]]]:
    found: dict[bytes, list[Rule[Any]]] = {}
    for rule in rules:
        found.setdefault(rule.event.header, []).append(rule)
    return found


Step = Callable[[list[Any], Any], None]
"""Changes the values of a row in place, using the data of an event."""


def _steps(table: ReadTable[Any], event: PublicType[Any], changes: Sequence[Change[Any]]) -> list[Step]:
    for change in changes:
        missing = sorted(set(change.columns) - set(table.columns[len(table.key_columns) :]))
        if missing or (change.kind == "latest" and change.by not in change.columns):
            raise NotDeclarable(table.name, event, f"no column {', '.join(missing or [change.by])} to change")
    return [_step(table, change) for change in changes]


def _step(table: ReadTable[Any], change: Change[Any]) -> Step:
    each = [(table.columns.index(name), of) for name, of in change.columns.items()]
    if change.kind == "latest":
        return _latest(each, table.columns.index(change.by), change.columns[change.by])
    merge = _MERGES[change.kind]

    def step(values: list[Any], data: Any) -> None:
        for index, of in each:
            old, new = values[index], of(data)
            values[index] = new if old is None else merge(old, new)

    return step


def _latest(each: Sequence[tuple[int, Of[Any]]], by: int, at_of: Of[Any]) -> Step:
    def step(values: list[Any], data: Any) -> None:
        if values[by] is None or at_of(data) >= values[by]:
            for index, of in each:
                values[index] = of(data)

    return step


_MERGES: Mapping[str, Callable[[Any, Any], Any]] = {
    "adds": lambda old, new: old + new,
    "least": min,
    "most": max,
    "sets": lambda _, new: new,
}


def _start(table: ReadTable[Any], event: PublicType[Any], changes: Sequence[Change[Any]]) -> list[Any]:
    """The values of a new row after its key, before the changes: the defaults, or None where the changes give the
    value."""
    defaults = table.row_class._field_defaults
    given = {name for change in changes for name in change.columns}
    optional = {name for name, _, nullable in table.declared if nullable}
    others = table.columns[len(table.key_columns) :]
    if without := [name for name in others if name not in {*defaults, *given, *optional}]:
        raise NotDeclarable(table.name, event, f"a new row would have no {', '.join(without)}: give it a default")
    marked = {name for change in changes if change.kind != "adds" for name in change.columns}
    return [None if name in marked else defaults.get(name) for name in others]


def _key_of(table: ReadTable[Any], event: PublicType[Data]) -> KeyOf[Data]:
    _check_fields(table, event, table.key_columns)
    return _several(table.key_columns)


def _several(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """The values under these names, always as a tuple, even for one name."""
    if len(names) == 1:
        [only] = names
        return lambda data: (data[only],)
    return itemgetter(*names)


def _check_fields(table: ReadTable[Any], event: PublicType[Any], names: Sequence[str]) -> None:
    if missing := [name for name in names if name not in event.fields.__annotations__]:
        raise NotDeclarable(table.name, event, f"the event has no field {', '.join(missing)}")
