"""Reject files: one beside each input, with where, what and why, then the row as it stood. Corrected, it can be
imported again."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lyceum_cli.errors import CannotWrite
from lyceum_cli.importing.reading import Source, Table

COLUMNS: Final = ("reject_file", "reject_line", "reject_field", "reject_reason")


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not imported. `source` is the number of its file."""

    source: int
    line: int
    field: str
    reason: str


class RejectFiles:
    """The reject files of one import, made when the first row needs one. `sizes` before and after an interruption
    tell what belongs to batches that are done."""

    def __init__(self, folder: Path, sources: Sequence[Source], tables: Sequence[Table]) -> None:
        self._folder = folder
        self._sources = sources
        self._tables = tables
        self._fields = [{line.number: line.fields for line in table.lines} for table in tables]

    def path(self, source: int) -> Path:
        """Where rejects of a source go."""
        return self._folder / f"{source + 1}-{self._sources[source].path.stem}.rejects.csv"

    def rewind(self, sizes: Mapping[str, int]) -> None:
        """Back to what was there at `sizes` (bytes by file name): later lines come again, absent files vanish.

        Raises `CannotWrite`.
        """
        for path in map(self.path, range(len(self._sources))):
            try:
                if path.name not in sizes:
                    path.unlink(missing_ok=True)
                elif path.exists():
                    os.truncate(path, sizes[path.name])
            except OSError as failure:
                raise CannotWrite(path, failure) from failure

    def add(self, rejects: Iterable[Reject]) -> None:
        """Append, and have it on disk before returning. Raises `CannotWrite`."""
        by_source: dict[int, list[Reject]] = {}
        for reject in rejects:
            by_source.setdefault(reject.source, []).append(reject)
        for source, found in by_source.items():
            try:
                self._append(source, found)
            except OSError as failure:
                raise CannotWrite(self.path(source), failure) from failure

    def sizes(self) -> dict[str, int]:
        """Bytes of the files that exist, by name."""
        paths = [self.path(number) for number in range(len(self._sources))]
        return {path.name: path.stat().st_size for path in paths if path.exists()}

    def paths(self) -> list[Path]:
        """The files that exist."""
        return [path for number in range(len(self._sources)) if (path := self.path(number)).exists()]

    def _append(self, source: int, rejects: Sequence[Reject]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self.path(source)
        fresh = not path.exists() or path.stat().st_size == 0
        with path.open("a", encoding="utf-8", errors="surrogateescape", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow([*COLUMNS, *self._tables[source].header])
            name = self._sources[source].path.name
            writer.writerows(
                [name, one.line, one.field, one.reason, *self._fields[source].get(one.line, ())] for one in rejects
            )
            file.flush()
            os.fsync(file.fileno())
