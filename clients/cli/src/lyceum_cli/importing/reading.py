"""CSV files as numbered lines. Nothing is dropped: what cannot be read comes out as a complaint with its line."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from lyceum_cli.errors import BadFile
from lyceum_cli.importing.columns import Kind

UTF_8: Final = "utf-8-sig"
MAX_FIELD_CHARS: Final = 1_000_000
MAX_ROW_LINES: Final = 1_000
"""More lines in one row are a quote that was closed by chance, far below."""
HASH_BLOCK_BYTES: Final = 1 << 20
UNCLOSED: Final = "a quote is opened and not closed"

Amounts = Literal["minor", "major"]


@dataclass(frozen=True, slots=True)
class Format:
    """How the files are written. `amounts`: whether money stands in minor units (1290) or major ones (12.90)."""

    delimiter: str = ","
    encoding: str = UTF_8
    amounts: Amounts = "minor"


AS_DOCUMENTED: Final = Format()


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
    """One record: the number of its first line from 1, its fields as they stand, and why it cannot be used, if so.

    What is no record is a line of the file, as one field.
    """

    number: int
    fields: tuple[str, ...]
    complaint: str = ""


@dataclass(frozen=True)
class Table:
    """A file's header and its records."""

    header: tuple[str, ...]
    lines: tuple[Line, ...]


def read(path: Path, form: Format = AS_DOCUMENTED, texts: Collection[str] | None = None) -> Table:
    """The whole file, in memory. Line breaks may stand in the columns `texts`; None: in any.

    Raises `BadFile` where it cannot be read or has no usable header.
    """
    csv.field_size_limit(MAX_FIELD_CHARS)
    file = _File(_text_lines(path, form.encoding))
    rows = csv.reader(file, strict=True, delimiter=form.delimiter)
    try:
        header = _header(path, next(rows, None))
    except csv.Error as failure:
        raise BadFile(path, f"the header is no CSV: {_plain(failure)}") from failure
    return Table(header, tuple(_Records(file, rows, header, texts, form.encoding).lines()))


def _text_lines(path: Path, encoding: str) -> list[str]:
    """Bytes that are not in this encoding survive as surrogates, so that their row alone is refused and set aside
    unchanged."""
    try:
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            return file.readlines()
    except OSError as failure:
        raise BadFile(path, failure.strerror or "cannot be read") from failure
    except UnicodeError as failure:
        raise BadFile(path, f"is not in {_name(encoding)}") from failure


def _header(path: Path, fields: list[str] | None) -> tuple[str, ...]:
    if not fields:
        raise BadFile(path, "is empty; the first line must name the columns")
    header = tuple(name.strip() for name in fields)
    if len(set(header)) != len(header):
        raise BadFile(path, "the header names a column twice")
    return header


class _File:
    """A file's lines for a CSV reader. `at` lines are read; it may be set back."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.at = 0

    def __iter__(self) -> _File:
        return self

    def __next__(self) -> str:
        if self.at >= len(self.lines):
            raise StopIteration
        self.at += 1
        return self.lines[self.at - 1]

    def line(self, number: int, complaint: str) -> Line:
        """A line, counted from 1, that is no record."""
        return Line(number, (self.lines[number - 1].rstrip("\r\n"),), complaint)


class _Records:
    """The records behind a header. A record that a stray quote has made takes the lines below it with it, so it is
    refused with its first line only, and reading goes on at the next."""

    def __init__(
        self,
        file: _File,
        rows: Iterator[list[str]],
        header: tuple[str, ...],
        texts: Collection[str] | None,
        encoding: str,
    ) -> None:
        self._file = file
        self._rows = rows
        self._header = header
        self._texts = texts
        self._encoding = encoding

    def lines(self) -> Iterator[Line]:
        """Every record in order; empty lines are none."""
        while True:
            number = self._file.at + 1
            try:
                fields = tuple(next(self._rows))
            except StopIteration:
                return
            except csv.Error as failure:
                yield self._only_first(number, f"is no CSV: {_plain(failure)}")
                continue
            if self._file.at > number:
                yield from self._long(number, fields)
            elif fields:
                yield Line(number, fields, self._complaint(fields))

    def _only_first(self, number: int, complaint: str) -> Line:
        self._file.at = number
        return self._file.line(number, complaint)

    def _long(self, number: int, fields: tuple[str, ...]) -> Iterator[Line]:
        """A record of several lines."""
        last = self._file.at
        if stray := self._stray(fields):
            yield self._only_first(number, f"{stray}, and goes on to line {last}: is a quote missing?")
        elif last - number >= MAX_ROW_LINES:
            # Closed as it is, it may hold anything, rows that somebody made up too: none of it is read as rows.
            complaint = f"is part of a row of {last - number + 1} lines from line {number} on; {MAX_ROW_LINES} may be"
            yield from (self._file.line(one, complaint) for one in range(number, last + 1))
        else:
            yield Line(number, fields, self._complaint(fields))

    def _stray(self, fields: tuple[str, ...]) -> str:
        """What tells that a record of several lines is none."""
        if len(fields) != len(self._header):
            return self._complaint(fields)
        broken = [name for name, text in zip(self._header, fields, strict=True) if "\n" in text or "\r" in text]
        odd = [name for name in broken if self._texts is not None and name not in self._texts]
        return f"has a line break in {odd[0]}" if odd else ""

    def _complaint(self, fields: tuple[str, ...]) -> str:
        if len(fields) != len(self._header):
            return f"has {len(fields)} fields where the header has {len(self._header)}"
        text = "".join(fields)
        if "\0" in text:
            return "holds a NUL character"
        return "" if _is_text(text) else f"is not {_name(self._encoding)}"


def _plain(failure: csv.Error) -> str:
    """The parser's complaint; of a file that ends within quotes in plainer words."""
    return UNCLOSED if "unexpected end of data" in str(failure) else str(failure)


def _name(encoding: str) -> str:
    return "UTF-8" if encoding == UTF_8 else encoding


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
