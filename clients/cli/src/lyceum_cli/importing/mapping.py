"""Mapping files (TOML): how columns of somebody else's files become the documented ones.

A section `[<kind>.<file stem>]` says what each documented column is made of: a text with `{column}` in it for the
file's columns, or a number of days since a day of reference. See the README for an example of each.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, assert_never

from lyceum_cli.errors import BadMapping
from lyceum_cli.importing.columns import COLUMNS, KINDS, Kind
from lyceum_cli.importing.reading import Format, Source, read
from lyceum_cli.importing.rows import BadRow, Row, instant

ROWS: Final = "rows"
JOIN: Final = "join"
REPEATED: Final = "repeated"
FIRST: Final = "first"
DAY_ZERO: Final = "day_zero"
MAX_OFFSET_DAYS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Template:
    """Text with `{column}` in it."""

    text: str


@dataclass(frozen=True, slots=True)
class DayOffset:
    """`days` (a template) after the day that `zero` gives for `key` (a template), at `at` UTC."""

    days: Template
    key: Template
    zero: Mapping[str, date]
    at: time


@dataclass(frozen=True)
class Join:
    """Columns of another file, found by a column that both have."""

    file: Path
    on: str
    rows: Mapping[str, Row] = field(repr=False)


@dataclass(frozen=True)
class Section:
    """How one file's rows become documented ones. `first_counts`: rows that share an external id are one thing, of
    which the earliest counts; else rows that say something else under it are refused."""

    columns: Mapping[str, Template | DayOffset]
    joins: tuple[Join, ...] = ()
    first_counts: bool = False


@dataclass(frozen=True)
class Mappings:
    """A whole mapping file. `rows` are documented rows that no file holds."""

    sections: Mapping[tuple[Kind, str], Section]
    rows: Mapping[Kind, Sequence[Row]]

    def section(self, source: Source) -> Section | None:
        """What is said about a file."""
        return self.sections.get((source.kind, source.path.stem))

    def joined(self) -> list[Path]:
        """Every file that a join reads."""
        return sorted({join.file for section in self.sections.values() for join in section.joins})


NOTHING: Final = Mappings({}, {})


def mapped(section: Section | None, row: Row) -> Row:
    """The documented columns of a row; the row itself without a section. Raises `BadRow`."""
    if section is None:
        return row
    for join in section.joins:
        row = _joined(join, row)
    return {name: _value(name, made_of, row) for name, made_of in section.columns.items()}


def _joined(join: Join, row: Row) -> Row:
    other = join.rows.get(row.get(join.on, ""))
    if other is None:
        raise BadRow(join.on, f"has no row in {join.file.name}")
    return {**other, **row}


def _value(name: str, made_of: Template | DayOffset, row: Row) -> str:
    match made_of:
        case Template():
            return _filled(name, made_of, row)
        case DayOffset():
            return _dated(name, made_of, row)
        case _:
            assert_never(made_of)


def _filled(name: str, template: Template, row: Row) -> str:
    try:
        return template.text.format_map(row)
    except KeyError as failure:
        raise BadRow(name, f"needs the column {failure}, which the file does not have") from failure


def _dated(name: str, offset: DayOffset, row: Row) -> str:
    zero = offset.zero.get(_filled(name, offset.key, row))
    if zero is None:
        raise BadRow(name, "has no day of reference in the mapping")
    days = _filled(name, offset.days, row)
    if not days:
        raise BadRow(name, "is empty")
    try:
        after = timedelta(days=int(days))
    except (ValueError, OverflowError) as failure:
        raise BadRow(name, "is no whole number of days") from failure
    if abs(after.days) > MAX_OFFSET_DAYS:
        raise BadRow(name, f"is more than {MAX_OFFSET_DAYS} days away")
    return instant(datetime.combine(zero, offset.at, UTC) + after)


def load(path: Path, folders: Mapping[tuple[Kind, str], Path], form: Format) -> Mappings:
    """A mapping file. `folders` tells where each (kind, file stem) stands: joined files are looked for there, and are
    written like the others.

    Raises `BadMapping`, or `BadFile` for a joined file.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise BadMapping(path, "the file", str(failure)) from failure
    zeros = _zeros(path, _tables(path, DAY_ZERO, content.pop(DAY_ZERO, {})))
    sections: dict[tuple[Kind, str], Section] = {}
    rows: dict[Kind, Sequence[Row]] = {}
    for kind, found in ((_kind(path, name), found) for name, found in content.items()):
        if not isinstance(found, dict):
            raise BadMapping(path, kind, "must be sections, one for each file")
        rows[kind] = _rows(path, kind, found.pop(ROWS, []))
        for stem, raw in _tables(path, kind, found).items():
            if folder := folders.get((kind, stem)):
                sections[kind, stem] = _Reader(path, kind, stem, zeros, folder, form).section(raw)
    return Mappings(sections, rows)


def _tables(path: Path, place: str, found: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise BadMapping(path, place, "must hold tables of name = value")
    return found


def _kind(path: Path, name: str) -> Kind:
    for kind in KINDS:
        if name == kind:
            return kind
    raise BadMapping(path, name, f"must be {DAY_ZERO} or one of: {', '.join(KINDS)}")


def _zeros(path: Path, found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, date]]:
    try:
        return {name: {key: date.fromisoformat(str(day)) for key, day in days.items()} for name, days in found.items()}
    except ValueError as failure:
        raise BadMapping(path, DAY_ZERO, "every value must be a day like 2014-10-01") from failure


def _rows(path: Path, kind: Kind, found: Any) -> list[Row]:
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BadMapping(path, f"{kind}.{ROWS}", f"must be tables, each under [[{kind}.{ROWS}]]")
    for row in found:
        _check_columns(path, f"{kind}.{ROWS}", kind, row)
    return [{name: str(value) for name, value in row.items()} for row in found]


def _check_columns(path: Path, place: str, kind: Kind, columns: Mapping[str, Any]) -> None:
    unknown = sorted(set(columns) - set(COLUMNS[kind].all))
    if unknown:
        raise BadMapping(path, place, f"unknown columns: {', '.join(unknown)}")
    if missing := COLUMNS[kind].missing(columns):
        raise BadMapping(path, place, f"says nothing about: {', '.join(missing)}")


@dataclass(frozen=True)
class _Reader:
    path: Path
    kind: Kind
    stem: str
    zeros: Mapping[str, Mapping[str, date]]
    folder: Path
    form: Format

    def section(self, raw: Mapping[str, Any]) -> Section:
        joins = tuple(self._join(one) for one in raw.get(JOIN, []))
        columns = {name: value for name, value in raw.items() if name not in (JOIN, REPEATED)}
        _check_columns(self.path, self._place(), self.kind, columns)
        if raw.get(REPEATED, FIRST) != FIRST:
            raise BadMapping(self.path, self._place(REPEATED), f'must be "{FIRST}", where it is there')
        made_of = {name: self._column(name, value) for name, value in columns.items()}
        return Section(made_of, joins, first_counts=REPEATED in raw)

    def _place(self, name: str = "") -> str:
        return ".".join(part for part in (self.kind, self.stem, name) if part)

    def _column(self, name: str, value: Any) -> Template | DayOffset:
        if isinstance(value, str):
            return self._template(name, value)
        if not isinstance(value, dict) or not {"days", "key", "since"} <= set(value) <= {"days", "key", "since", "at"}:
            raise BadMapping(
                self.path, self._place(name), "must be a text, or a table of days, key, since and perhaps at"
            )
        if value["since"] not in self.zeros:
            raise BadMapping(self.path, self._place(name), f"there is no [{DAY_ZERO}.{value['since']}]")
        return DayOffset(
            self._template(name, str(value["days"])),
            self._template(name, str(value["key"])),
            self.zeros[value["since"]],
            self._time(name, str(value.get("at", "00:00:00"))),
        )

    def _time(self, name: str, value: str) -> time:
        try:
            return time.fromisoformat(value)
        except ValueError as failure:
            raise BadMapping(self.path, self._place(name), "at must be a time like 12:00:00") from failure

    def _template(self, name: str, text: str) -> Template:
        """Only plain `{column}`: no attributes, indexes or formats of what stands in the file."""
        try:
            fields = [part[1:] for part in string.Formatter().parse(text) if part[1] is not None]
        except ValueError as failure:
            raise BadMapping(self.path, self._place(name), f"is no template: {failure}") from failure
        for column, form, conversion in fields:
            if not (column and column.isidentifier()) or form or conversion:
                raise BadMapping(self.path, self._place(name), "may hold {column} only")
        return Template(text)

    def _join(self, raw: Any) -> Join:
        if not isinstance(raw, dict) or set(raw) != {"file", "on"}:
            raise BadMapping(self.path, self._place(JOIN), "must say file and on")
        file = self.folder / str(raw["file"])
        table = read(file, self.form)
        if raw["on"] not in table.header:
            raise BadMapping(self.path, self._place(JOIN), f"{file.name} has no column {raw['on']}")
        rows = [dict(zip(table.header, line.fields, strict=True)) for line in table.lines if not line.complaint]
        return Join(file, str(raw["on"]), {row[raw["on"]]: row for row in rows})
