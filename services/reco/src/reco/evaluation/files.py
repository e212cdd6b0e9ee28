"""Events and features from CSV files. A wrong file gives one sentence with the file, the row and the column."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MAX_ROWS = 50_000_000
MAX_SECONDS = 253_402_300_799  # the end of the year 9999
TAG_SEPARATOR = "|"
PUBLISHED = "published"


class WrongFile(Exception):
    """A file that cannot be evaluated; its text is one sentence for the one who gave it."""


class Event(NamedTuple):
    """A member met a content at a second; `weight` 0 or below speaks against it."""

    member: str
    content: str
    unix_time: int
    weight: float


def read_events(path: Path) -> list[Event]:
    """Events in the order of the file. Columns: member, content, unix_time and perhaps weight. Raises `WrongFile`."""
    events = [_event(path, at, row) for at, row in _rows(path, ("member", "content", "unix_time"))]
    if not events:
        raise WrongFile(f"{path} holds no events")
    return events


def read_features(path: Path) -> dict[str, tuple[str, ...]]:
    """Tags by content. Columns: content, perhaps published (see `read_published`), and either `tags` separated by `|`
    or one column for each tag, which a content has if its value is neither empty nor 0. Raises `WrongFile`."""
    return {row["content"]: _tags(row) for _, row in _rows(path, ("content",))}


def read_published(path: Path) -> dict[str, int]:
    """When contents were published, of those whose column `published` says so, in seconds. Raises `WrongFile`."""
    found = {}
    for line, row in _rows(path, ("content",)):
        if row.get(PUBLISHED):
            found[row["content"]] = _seconds(path, line, PUBLISHED, row[PUBLISHED])
    return found


def _tags(row: dict[str, str]) -> tuple[str, ...]:
    apart = ("content", "tags", PUBLISHED)
    single = [name for name, value in row.items() if name not in apart and value not in ("", "0")]
    return tuple(tag for tag in (*row.get("tags", "").split(TAG_SEPARATOR), *single) if tag)


def _rows(path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row by the names of the columns, with its line number in the file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            for name in wanted:
                if name not in (reader.fieldnames or ()):
                    raise WrongFile(f"{path}, row 1: column {name} is missing")
            for count, row in enumerate(reader):
                yield reader.line_num, _whole(path, reader.line_num, count, row, wanted)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WrongFile(f"{path} cannot be read: {error}") from error


def _whole(path: Path, line: int, count: int, row: dict[str, str], wanted: tuple[str, ...]) -> dict[str, str]:
    if count >= MAX_ROWS:
        raise WrongFile(f"{path}, row {line}: more than {MAX_ROWS} rows")
    if None in row:
        raise WrongFile(f"{path}, row {line}: more values than columns")
    for name, value in row.items():
        if value is None or (name in wanted and not value.strip()):
            raise WrongFile(f"{path}, row {line}, column {name}: the value is missing")
    return row


def _event(path: Path, line: int, row: dict[str, str]) -> Event:
    weight = _number(path, line, "weight", row["weight"]) if row.get("weight") else 1.0
    return Event(row["member"], row["content"], _seconds(path, line, "unix_time", row["unix_time"]), weight)


def _seconds(path: Path, line: int, column: str, text: str) -> int:
    seconds = _number(path, line, column, text)
    if seconds != int(seconds) or not 0 <= seconds <= MAX_SECONDS:
        raise WrongFile(f"{path}, row {line}, column {column}: {text!r} is no time in whole seconds")
    return int(seconds)


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise WrongFile(f"{path}, row {line}, column {column}: {text!r} is not a number")
    return number
