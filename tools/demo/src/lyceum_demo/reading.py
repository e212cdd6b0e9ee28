"""Reads the input files. Amounts are decimal numbers of dollars and are never converted to float."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Final

SAMPLE_FIELDS: Final = 5
NOON: Final = time(12)


@dataclass(frozen=True, slots=True)
class Purchase:
    """A line of the purchases file; `line` is its number in the file, from 1."""

    line: int
    member: int
    day: date
    charged_minor: int

    @property
    def at(self) -> datetime:
        """The moment of the purchase: noon UTC, because the file has days only."""
        return datetime.combine(self.day, NOON, UTC)


@dataclass(frozen=True, slots=True)
class Rating:
    """A line of the ratings file."""

    line: int
    member: int
    item: int
    rating: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Film:
    """A rated film; published as content."""

    number: int
    title: str
    genres: tuple[str, ...]


def purchases(path: Path) -> list[Purchase]:
    """All lines of either file: lines of the sample have the number within the sample as second field, the master file
    has a header."""
    numbered = enumerate(path.read_text(encoding="ascii").splitlines(), start=1)
    return [_purchase(number, fields) for number, line in numbered if (fields := line.split())[0].isdigit()]


def _purchase(number: int, fields: Sequence[str]) -> Purchase:
    member = fields[1] if len(fields) == SAMPLE_FIELDS else fields[0]
    cents = Decimal(fields[-1]) * 100
    if cents != cents.to_integral_value():
        raise ValueError(f"line {number}: an amount is no whole number of cents")
    day = date(int(fields[-3][:4]), int(fields[-3][4:6]), int(fields[-3][6:]))
    return Purchase(number, int(member), day, int(cents))


def ratings(path: Path, first: int | None) -> list[Rating]:
    """The `first` ratings (without it, all) in the order of time, then of lines."""
    lines = path.read_text(encoding="ascii").splitlines()
    found = [_rating(number, line.split("\t")) for number, line in enumerate(lines[1:], start=2)]
    return sorted(found, key=lambda one: (one.at, one.line))[:first]


def _rating(number: int, fields: Sequence[str]) -> Rating:
    member, item, rating, second = fields
    return Rating(
        line=number, member=int(member), item=int(item), rating=int(rating), at=datetime.fromtimestamp(int(second), UTC)
    )


def films(path: Path) -> list[Film]:
    """All films."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    return [Film(int(number), title, tuple(genres.split())) for number, title, _, genres in rows]
