"""CSV files as numbered lines. Nothing is dropped: what cannot be read comes out as a complaint with its line."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lyceum_cli.errors import BadFile
from lyceum_cli.importing.columns import Kind

ENCODING: Final = "utf-8-sig"
MAX_FIELD_CHARS: Final = 1_000_000
HASH_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A file of rows of one kind."""

    kind: Kind
    path: Path

    @property
    def sha256(self) -> str:
        """Of the file's bytes, hexadecimal. Raises `BadFile`."""
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                while block := file.read(HASH_BLOCK_BYTES):
                    digest.update(block)
        except OSError as failure:
            raise BadFile(self.path, failure.strerror or "cannot be read") from failure
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Line:
    """One record: the number of its first line from 1, its fields as they stand, and why it cannot be used, if so."""

    number: int
    fields: tuple[str, ...]
    complaint: str = ""


@dataclass(frozen=True)
class Table:
    """A file's header and its records."""

    header: tuple[str, ...]
    lines: tuple[Line, ...]


def read(path: Path) -> Table:
    """The whole file, in memory. Raises `BadFile` where it cannot be read or has no usable header."""
    csv.field_size_limit(MAX_FIELD_CHARS)
    try:
        # Bytes that are not UTF-8 survive as surrogates, so that their row alone is refused and set aside unchanged.
        with path.open(encoding=ENCODING, errors="surrogateescape", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = _header(path, next(rows, None))
            return Table(header, tuple(_lines(rows, len(header))))
    except OSError as failure:
        raise BadFile(path, failure.strerror or "cannot be read") from failure
    except csv.Error as failure:
        raise BadFile(path, f"the header is no CSV: {failure}") from failure


def _header(path: Path, fields: list[str] | None) -> tuple[str, ...]:
    if not fields:
        raise BadFile(path, "is empty; the first line must name the columns")
    header = tuple(name.strip() for name in fields)
    if len(set(header)) != len(header):
        raise BadFile(path, "the header names a column twice")
    return header


def _lines(rows: Iterator[list[str]], width: int) -> Iterator[Line]:
    while True:
        number = rows.line_num + 1  # type: ignore[attr-defined]
        try:
            fields = tuple(next(rows))
        except StopIteration:
            return
        except csv.Error as failure:
            yield Line(number, (), f"is no CSV: {failure}")
            continue
        if fields:
            yield Line(number, fields, _complaint(fields, width))


def _complaint(fields: tuple[str, ...], width: int) -> str:
    if len(fields) != width:
        return f"has {len(fields)} fields where the header has {width}"
    text = "".join(fields)
    if "\0" in text:
        return "holds a NUL character"
    return "" if _is_utf8(text) else "is not UTF-8"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
