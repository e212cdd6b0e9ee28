"""What a walk found for each scored event, also as a CSV file, so that walks can be compared event by event."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reco.evaluation.files import WrongFile

LOOKED_AT = 20
"""Places of a ranking that are looked at; a rank of so many means that the item stood in none of them."""


class Outcome(NamedTuple):
    """One scored event. `place`: where it stands in the order of the walk, from 0. `member_events`, `item_events`: how
    many events of the member and of the content were known when it was scored."""

    place: int
    member: str
    content: str
    unix_time: int
    member_events: int
    item_events: int


@dataclass
class Outcomes:
    """Scored events, and by what ranked: the rank (from 0, at most `LOOKED_AT`) of what was taken, for each of them."""

    keys: list[Outcome] = field(default_factory=list)
    ranks: dict[str, list[int]] = field(default_factory=dict)

    def add(self, key: Outcome, ranked: dict[str, Sequence[str]]) -> None:
        """One event, and by name the contents that were ranked best, best first."""
        self.keys.append(key)
        for name, best in ranked.items():
            self.ranks.setdefault(name, []).append(rank_of(key.content, best))

    def of(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The ranks that one of the names gave, in the order of `keys`."""
        return np.array(self.ranks[name], dtype=np.int64)


def rank_of(content: str, best: Sequence[str]) -> int:
    """Where a content stands, from 0; `LOOKED_AT` if it is not among the first so many."""
    found = list(best[:LOOKED_AT])
    return found.index(content) if content in found else LOOKED_AT


def write_outcomes(path: Path, outcomes: Outcomes) -> None:
    """A row for each outcome: the fields of its key, then a rank for each name."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*Outcome._fields, *outcomes.ranks])
        writer.writerows([*key, *ranks] for key, *ranks in zip(outcomes.keys, *outcomes.ranks.values(), strict=True))


def read_outcomes(path: Path) -> Outcomes:
    """What `write_outcomes` has written. Raises `WrongFile`."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            head, *rows = list(csv.reader(file))
        names, width = head[len(Outcome._fields) :], len(Outcome._fields)
        keys = [Outcome(int(row[0]), row[1], row[2], *map(int, row[3:width])) for row in rows]
        ranks = {name: [int(row[width + at]) for row in rows] for at, name in enumerate(names)}
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise WrongFile(f"{path} holds no outcomes: {error}") from error
    return Outcomes(keys, ranks)


def joined(one: Outcomes, other: Outcomes) -> Outcomes:
    """The ranks of both over the same outcomes. Raises `WrongFile` if the walks were not the same, event by event."""
    if one.keys != other.keys:
        at = next((n for n, pair in enumerate(zip(one.keys, other.keys, strict=False)) if pair[0] != pair[1]), None)
        what = f"{len(one.keys)} and {len(other.keys)} outcomes" if at is None else f"{one.keys[at]}, {other.keys[at]}"
        raise WrongFile(f"the walks differ and cannot be compared: {what}")
    return Outcomes(one.keys, {**one.ranks, **other.ranks})
