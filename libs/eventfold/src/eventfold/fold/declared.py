"""Declared projections: rules that say how each type of event changes the rows of a table.

    projection("counters", on(COUNTERS, LIKED, adds(likes=1)), on(COUNTERS, UNLIKED, adds(likes=-1)))

`adds`, `least`, `most` and `latest` declare changes whose result does not depend on the order of events. Declarations
are checked when they are made: a misspelt column or field ends the process at its start. Where all values of a
projection are fields of events (`eventfold.fold.values`) and none is a function, batches are applied as sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Generic, Literal

from eventfold.fold.merging import How, Part, TableMerge, merges_of, only_values
from eventfold.fold.readmodel import TYPE_HEADER, Changes, Draft, Projection, PublicRecord, Rows
from eventfold.fold.tables import Key, ReadTable, Row
from eventfold.fold.values import Field, Of, Value, unknown_fields, value_of
from eventfold.vocabulary.public import Data, PublicType

Take = Callable[[Data], Any]
"""Takes the value of a column from the data of an event."""
KeyOf = Callable[[Data], Key] | Sequence[str]
"""Takes a key from the data of an event, or names its fields."""


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
    columns: Mapping[str, Take[Data]]
    by: str = ""


def adds(**columns: int | Of[Data]) -> Change[Data]:
    """Add these amounts for each event."""
    return Change("adds", _taken(columns))


def least(**columns: Of[Data]) -> Change[Data]:
    """Keep the lowest value of all events."""
    return Change("least", _taken(columns))


def most(**columns: Of[Data]) -> Change[Data]:
    """Keep the highest value of all events."""
    return Change("most", _taken(columns))


def latest(by: str, **columns: Of[Data]) -> Change[Data]:
    """Keep the values of the event with the highest `by`; if several have the same, those of the last that arrived."""
    return Change("latest", _taken(columns), by)


def sets(**columns: Of[Data]) -> Change[Data]:
    """Keep the values of the last event. Only for rows whose events share a stream, and so have an order."""
    return Change("sets", _taken(columns))


def _taken(columns: Mapping[str, Any]) -> dict[str, Take[Any]]:
    return {name: value_of(of) for name, of in columns.items()}


@dataclass(frozen=True, slots=True)
class Rule(Generic[Data]):
    """The effect of one type of event on one table. `becomes` takes the present row (None if there is none) and returns
    the next one, or None to change nothing. Without `reads`, the present row is not loaded. `part` says the same as
    data; without it, a function defines the effect."""

    table: ReadTable[Any]
    event: PublicType[Data]
    key: Callable[[Data], Key]
    becomes: Callable[[Any, PublicRecord[Data]], Any]
    reads: bool = True
    part: Part | None = None


def puts(table: ReadTable[Row], event: PublicType[Data], **columns: Of[Data]) -> Rule[Data]:
    """Each event inserts a row or replaces the row of its key. A column that is not named here has the value of the
    event's field of its name. Raises `NotDeclarable`."""
    _check_columns(table, event, columns, table.columns)
    values = [value_of(columns.get(name, name)) for name in table.columns]
    _check_fields(table, event, values)
    row, make, keys = _several(values), table.row_class._make, len(table.key_columns)  # type: ignore[attr-defined]
    set_all = sets(**dict(zip(table.columns[keys:], values[keys:], strict=True)))
    return Rule(
        table=table,
        event=event,
        key=_several(values[:keys]),
        becomes=lambda _, e: make(row(e.data)),
        reads=False,
        part=_part(event, values[:keys], [set_all]),
    )


def becomes(
    table: ReadTable[Row],
    event: PublicType[Data],
    then: Callable[[Row | None, PublicRecord[Data]], Row | None],
    key: KeyOf[Data] | None = None,
) -> Rule[Data]:
    """The general form: `then` returns the next row, or None to change nothing. Without `key`, the key is made of the
    event fields that have the names of the key columns. Raises `NotDeclarable`."""
    return Rule(table, event, _key(table, event, key)[0], then)


def on(
    table: ReadTable[Row],
    event: PublicType[Data],
    *changes: Change[Data],
    key: KeyOf[Data] | None = None,
    known_only: bool = False,
) -> Rule[Data]:
    """Each event changes columns of its row. A missing row begins with the columns' defaults (None for optional
    columns); with `known_only`, a missing row is not created. The key is as in `becomes`. Raises `NotDeclarable`."""
    (key_of, fields), steps = _key(table, event, key), _steps(table, event, changes)
    start = _start(table, event, changes) if not known_only else []

    def then(row: Any, one: PublicRecord[Data]) -> Any:
        if row is None and known_only:
            return None
        values = list(row) if row is not None else [*key_of(one.data), *start]
        for step in steps:
            step(values, one.data)
        return table.row_class._make(values)  # type: ignore[attr-defined]

    return Rule(
        table=table, event=event, key=key_of, becomes=then, part=_part(event, fields, changes, creates=not known_only)
    )


def _part(
    event: PublicType[Any], key: Sequence[Take[Any]], changes: Sequence[Change[Any]], *, creates: bool = True
) -> Part | None:
    """The effect as data; None if a function defines some of it."""
    columns = {name: of for change in changes for name, of in change.columns.items()}
    how = {name: How(change.kind, change.by) for change in changes for name in change.columns}
    values = only_values([*key, *columns.values()])
    if not key or values is None:
        return None
    return Part(event, values[: len(key)], dict(zip(columns, values[len(key) :], strict=True)), how, creates)


def projection(name: str, *rules: Rule[Any], partition_local: bool = False) -> Projection:
    """The projection made of these rules; see `Projection` for `partition_local`."""
    types = tuple(dict.fromkeys(rule.event for rule in rules))
    tables = tuple(dict.fromkeys(rule.table for rule in rules))
    return Projection(
        name=name,
        on=types,
        tables=tables,
        keys=_keys(rules),
        fold=_fold(rules),
        partition_local=partition_local,
        merges=_merges(rules),
    )


def _merges(rules: Sequence[Rule[Any]]) -> tuple[TableMerge, ...]:
    parts: dict[ReadTable[Any], list[Part]] = {}
    for rule in rules:
        if rule.part is None:
            return ()
        parts.setdefault(rule.table, []).append(rule.part)
    return merges_of(parts)


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
        _check_columns(table, event, change.columns, table.columns[len(table.key_columns) :])
        if change.kind == "latest" and change.by not in change.columns:
            raise NotDeclarable(table.name, event, f"no column {change.by} to change")
        _check_fields(table, event, list(change.columns.values()))
    return [_step(table, change) for change in changes]


def _step(table: ReadTable[Any], change: Change[Any]) -> Step:
    each = [(table.columns.index(name), _fast(of)) for name, of in change.columns.items()]
    if change.kind == "latest":
        return _latest(each, table.columns.index(change.by), _fast(change.columns[change.by]))
    merge = _MERGES[change.kind]

    def step(values: list[Any], data: Any) -> None:
        for index, of in each:
            old, new = values[index], of(data)
            values[index] = new if old is None else merge(old, new)

    return step


def _latest(each: Sequence[tuple[int, Take[Any]]], by: int, at_of: Take[Any]) -> Step:
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
    """The values of a new row after its key, before the changes: the defaults, and None where the changes give the
    value."""
    defaults = table.row_class._field_defaults
    given = {name for change in changes for name in change.columns}
    optional = {name for name, _, nullable in table.declared if nullable}
    others = table.columns[len(table.key_columns) :]
    if without := [name for name in others if name not in {*defaults, *given, *optional}]:
        raise NotDeclarable(table.name, event, f"a new row would have no {', '.join(without)}: give it a default")
    return [defaults.get(name) for name in others]


def _key(
    table: ReadTable[Any], event: PublicType[Data], key: KeyOf[Data] | None
) -> tuple[Callable[[Data], Key], list[Value]]:
    """The function that takes a key, and its fields; none if only the function is given."""
    if callable(key):
        return key, []
    fields: list[Value] = [Field(name) for name in key or table.key_columns]
    _check_fields(table, event, fields)
    return _several(fields), fields


def _fast(of: Take[Any]) -> Take[Any]:
    return of.taker if isinstance(of, Value) else of


def _several(values: Sequence[Take[Any]]) -> Callable[[Any], tuple[Any, ...]]:
    """These values, always as a tuple, even one."""
    takers = [_fast(value) for value in values]
    if len(takers) > 1 and all(isinstance(one, itemgetter) for one in takers):
        return itemgetter(*(path for value in values if isinstance(value, Value) for path in value.paths))
    if len(takers) == 1:
        [only] = takers
        return lambda data: (only(data),)
    return lambda data: tuple([take(data) for take in takers])


def _check_columns(
    table: ReadTable[Any], event: PublicType[Any], columns: Iterable[str], allowed: Sequence[str]
) -> None:
    if missing := sorted(set(columns) - set(allowed)):
        raise NotDeclarable(table.name, event, f"no column {', '.join(missing)} to change")


def _check_fields(table: ReadTable[Any], event: PublicType[Any], values: Sequence[Take[Any]]) -> None:
    if missing := unknown_fields(event, values):
        raise NotDeclarable(table.name, event, f"the event has no field {', '.join(missing)}")
