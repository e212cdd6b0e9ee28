"""Everything that is to be imported, read from its files: items, and what cannot be one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lyceum_cli.errors import BadFile
from lyceum_cli.importing import mapping
from lyceum_cli.importing.columns import COLUMNS, KINDS, Kind
from lyceum_cli.importing.reading import AS_DOCUMENTED, Format, Line, Source, Table, read
from lyceum_cli.importing.rejects import Reject
from lyceum_cli.importing.repeats import Repeats
from lyceum_cli.importing.rows import BadRow, Item, Occurrences, Row, in_minor_units, item


@dataclass(frozen=True)
class Gathered:
    """`sources` and `tables` run in parallel; `files` maps names to SHA-256; `rejects` never reach the gateway."""

    sources: tuple[Source, ...]
    tables: tuple[Table, ...]
    items: tuple[Item, ...]
    rejects: tuple[Reject, ...]
    files: Mapping[str, str]

    def rows(self, kind: Kind) -> int:
        """How many rows of a kind there are, good and bad."""
        return sum(
            len(table.lines) for source, table in zip(self.sources, self.tables, strict=True) if source.kind == kind
        )


def gather(sources: Sequence[Source], mapping_file: Path | None = None, form: Format = AS_DOCUMENTED) -> Gathered:
    """Read everything into memory (about 1.5 KB a row). Raises `BadFile` or `BadMapping`."""
    mappings = _mappings(sources, mapping_file, form)
    read_from = [_added(mapping_file, kind, rows) for kind, rows in mappings.rows.items() if mapping_file and rows]
    read_from += [(one, _read(one, mappings.section(one), form)) for one in sources]
    all_sources = tuple(source for source, _ in read_from)
    reader = _Reader(mappings, form, Repeats(all_sources))
    items: list[Item] = []
    rejects: list[Reject] = []
    for number, (source, table) in enumerate(read_from):
        for found in reader.found(number, source, table):
            (items if isinstance(found, Item) else rejects).append(found)  # type: ignore[arg-type]
    return Gathered(
        sources=all_sources,
        tables=tuple(table for _, table in read_from),
        items=tuple(items),
        rejects=tuple(rejects),
        files=_hashes(sources, mapping_file, mappings),
    )


def _mappings(sources: Sequence[Source], mapping_file: Path | None, form: Format) -> mapping.Mappings:
    if mapping_file is None:
        return mapping.NOTHING
    return mapping.load(mapping_file, {(one.kind, one.path.stem): one.path.parent for one in sources}, form)


def _read(source: Source, section: mapping.Section | None, form: Format) -> Table:
    """Where no mapping says what the columns mean, they must be the documented ones. Raises `BadFile`."""
    columns = COLUMNS[source.kind]
    table = read(source.path, form, columns.texts if section is None else None)
    if section is None:
        _check_header(source, table)
    return table


def _check_header(source: Source, table: Table) -> None:
    columns = COLUMNS[source.kind]
    unknown = [name for name in table.header if name not in columns.all]
    for complaint, names in (
        ("lacks the columns", columns.missing(table.header)),
        ("has unknown columns", unknown),
    ):
        if names:
            found = f"found: {_listed(table.header)}; {source.kind} have: {_listed(columns.all)}"
            raise BadFile(source.path, f"{complaint}: {_listed(names)}; {found}{_hint(table)}")


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(names)
    return "".join(character if character.isprintable() else "?" for character in text)


def _hint(table: Table) -> str:
    return ". If that is one column and should be several, say --delimiter" if len(table.header) == 1 else ""


def _added(mapping_file: Path, kind: Kind, rows: Sequence[Row]) -> tuple[Source, Table]:
    """Rows that stand in the mapping file, as a table numbered from 1."""
    header = COLUMNS[kind].all
    lines = [Line(number, tuple(row.get(name, "") for name in header)) for number, row in enumerate(rows, start=1)]
    return Source(kind, mapping_file), Table(header, tuple(lines))


@dataclass(frozen=True)
class _Reader:
    """Makes items of lines. Rows of all files together tell which are equal, and which share an external id."""

    mappings: mapping.Mappings
    form: Format
    repeats: Repeats
    occurrences: Mapping[Kind, Occurrences] = field(
        default_factory=lambda: {kind: Occurrences(Counter()) for kind in KINDS}
    )

    def found(self, number: int, source: Source, table: Table) -> Iterator[Item | Reject]:
        """An item or a reject for each line of a source."""
        section = self.mappings.section(source)
        for line in table.lines:
            if line.complaint:
                yield Reject(number, line.number, "", line.complaint)
                continue
            try:
                row = mapping.mapped(section, dict(zip(table.header, line.fields, strict=True)))
                yield self._item(number, line.number, source.kind, row, section)
            except BadRow as refusal:
                yield Reject(number, line.number, refusal.column, refusal.reason)

    def _item(self, source: int, line: int, kind: Kind, row: Row, section: mapping.Section | None) -> Item:
        row = in_minor_units(kind, row, self.form.amounts)
        one = item(kind, source, line, row, self.occurrences[kind])
        if section is not None and section.first_counts:
            return replace(one, first_counts=True)
        self.repeats.check(one)
        return one


def _hashes(sources: Sequence[Source], mapping_file: Path | None, mappings: mapping.Mappings) -> dict[str, str]:
    extra = [*([mapping_file] if mapping_file else []), *mappings.joined()]
    found = {f"{source.kind}: {source.path.name}": source.sha256 for source in sources}
    return {**found, **{path.name: Source("members", path).sha256 for path in extra}}
