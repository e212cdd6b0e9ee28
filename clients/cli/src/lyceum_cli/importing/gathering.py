"""Everything that is to be imported, read from its files: items, and what cannot be one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lyceum_cli.errors import BadFile
from lyceum_cli.importing import mapping
from lyceum_cli.importing.columns import COLUMNS, KINDS, Kind
from lyceum_cli.importing.reading import Line, Source, Table, read
from lyceum_cli.importing.rejects import Reject
from lyceum_cli.importing.rows import BadRow, Item, Occurrences, Row, item


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


def gather(sources: Sequence[Source], mapping_file: Path | None = None) -> Gathered:
    """Read everything into memory (about 1 KB a row). Raises `BadFile` or `BadMapping`."""
    mappings = _mappings(sources, mapping_file)
    read_from = [_added(mapping_file, kind, rows) for kind, rows in mappings.rows.items() if mapping_file and rows]
    read_from += [(source, read(source.path)) for source in sources]
    occurrences = {kind: Occurrences(Counter()) for kind in KINDS}
    items: list[Item] = []
    rejects: list[Reject] = []
    for number, (source, table) in enumerate(read_from):
        section = mappings.sections.get((source.kind, source.path.stem))
        _check_header(source, table, section)
        for found in _found(number, source, table, section, occurrences[source.kind]):
            (items if isinstance(found, Item) else rejects).append(found)  # type: ignore[arg-type]
    return Gathered(
        sources=tuple(source for source, _ in read_from),
        tables=tuple(table for _, table in read_from),
        items=tuple(items),
        rejects=tuple(rejects),
        files=_hashes(sources, mapping_file, mappings),
    )


def _mappings(sources: Sequence[Source], mapping_file: Path | None) -> mapping.Mappings:
    if mapping_file is None:
        return mapping.NOTHING
    return mapping.load(mapping_file, {(one.kind, one.path.stem): one.path.parent for one in sources})


def _added(mapping_file: Path, kind: Kind, rows: Sequence[Row]) -> tuple[Source, Table]:
    """Rows that stand in the mapping file, as a table numbered from 1."""
    header = COLUMNS[kind].all
    lines = [Line(number, tuple(row.get(name, "") for name in header)) for number, row in enumerate(rows, start=1)]
    return Source(kind, mapping_file), Table(header, tuple(lines))


def _check_header(source: Source, table: Table, section: mapping.Section | None) -> None:
    """Where no mapping says what the columns mean, they must be the documented ones."""
    if section is not None:
        return
    columns = COLUMNS[source.kind]
    missing = [name for name in columns.required if name not in table.header]
    unknown = [name for name in table.header if name not in columns.all]
    for complaint, names in (("lacks the columns", missing), ("has unknown columns", unknown)):
        if names:
            raise BadFile(source.path, f"{complaint}: {', '.join(names)}; {source.kind} have: {', '.join(columns.all)}")


def _found(
    number: int, source: Source, table: Table, section: mapping.Section | None, occurrences: Occurrences
) -> Iterator[Item | Reject]:
    for line in table.lines:
        if line.complaint:
            yield Reject(number, line.number, "", line.complaint)
            continue
        try:
            row = mapping.mapped(section, dict(zip(table.header, line.fields, strict=True)))
            yield item(source.kind, number, line.number, row, occurrences)
        except BadRow as refusal:
            yield Reject(number, line.number, refusal.column, refusal.reason)


def _hashes(sources: Sequence[Source], mapping_file: Path | None, mappings: mapping.Mappings) -> dict[str, str]:
    extra = [*([mapping_file] if mapping_file else []), *mappings.joined()]
    found = {f"{source.kind}: {source.path.name}": source.sha256 for source in sources}
    return {**found, **{path.name: Source("members", path).sha256 for path in extra}}
