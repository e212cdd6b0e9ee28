"""Cohort tables: members by the period of their start, followed from interval to interval.

Intervals are numbered from 0. A member's interval counts once it has closed: who started late is not in it yet (right
censoring).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Measure = Literal["bounded", "unbounded", "rolling", "bracket"]
MEASURES: Final[tuple[Measure, ...]] = ("bounded", "unbounded", "rolling", "bracket")
Start = Literal["registered", "first_active", "first_paid"]
STARTS: Final[tuple[Start, ...]] = ("registered", "first_active", "first_paid")
Clock = Literal["calendar", "member"]
CLOCKS: Final[tuple[Clock, ...]] = ("calendar", "member")

FORMULA_COHORTS = (
    "a cohort: members (accounts of consumers and creators) whose {start} lies in the period; interval N: {clock}; "
    "eligible: members whose interval has closed by the end of the day of as_of; retained: those of them who were "
    "{measure}, active meaning a counted interaction (view, like, comment, share, rate, complete) or paid order; "
    "learners: completed a content in the interval; payers and revenue: paid orders above 0 in the interval"
)
START_WORDS: Final[Mapping[Start, str]] = {
    "registered": "registration",
    "first_active": "first activity",
    "first_paid": "first paid order above 0",
}
CLOCK_WORDS: Final[Mapping[Clock, str]] = {
    "calendar": "the N-th {period} after the cohort's own, in the time zone",
    "member": "the N-th {hours} hours since the member's own start",
}
MEASURE_WORDS: Final[Mapping[Measure, str]] = {
    "bounded": "active in interval N",
    "unbounded": "active in interval N or later",
    "rolling": "active in every interval from 0 to N",
    "bracket": "active in any interval of the bracket",
}


@dataclass(frozen=True, slots=True)
class Bracket:
    """The intervals `first` to `last`, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Money:
    """Paying members, and what they paid in minor units."""

    payers: int = 0
    revenue_minor: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of the eligible members of a cohort in one bracket."""

    bracket: Bracket
    eligible: int = 0
    retained: int = 0
    learners: int = 0
    money: Money = field(default_factory=Money)

    @property
    def rate(self) -> float:
        """retained / eligible; 0 without any."""
        return self.retained / self.eligible if self.eligible else 0.0


Counts = Mapping[tuple[int, int], int]
"""By the numbers of a cohort and of a bracket (or of a last closed interval)."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the tables say. `closed`: members by cohort and last closed interval, -1 if none has; `retained` and
    `learners`: by cohort and index of the bracket, of eligible members; `money`: the same."""

    closed: Counts
    retained: Counts
    learners: Counts
    money: Mapping[tuple[int, int], Money]

    def members(self, cohort: int) -> int:
        """All members of a cohort."""
        return sum(count for (one, _), count in self.closed.items() if one == cohort)

    def cells(self, cohort: int, brackets: Sequence[Bracket]) -> list[Cell]:
        """The cells of a cohort that have eligible members, in order."""
        found = [self._cell(cohort, index, bracket) for index, bracket in enumerate(brackets)]
        return [cell for cell in found if cell.eligible]

    def _cell(self, cohort: int, index: int, bracket: Bracket) -> Cell:
        key = cohort, index
        return Cell(
            bracket=bracket,
            eligible=sum(n for (one, last), n in self.closed.items() if one == cohort and last >= bracket.last),
            retained=self.retained.get(key, 0),
            learners=self.learners.get(key, 0),
            money=self.money.get(key, Money()),
        )


def total(rows: Sequence[Sequence[Cell]]) -> list[Cell]:
    """The cells of all cohorts together, by bracket."""
    by_bracket: dict[Bracket, list[Cell]] = {}
    for cell in (cell for cells in rows for cell in cells):
        by_bracket.setdefault(cell.bracket, []).append(cell)
    return [_sum(bracket, by_bracket[bracket]) for bracket in sorted(by_bracket, key=lambda one: one.first)]


def _sum(bracket: Bracket, cells: Sequence[Cell]) -> Cell:
    return Cell(
        bracket=bracket,
        eligible=sum(one.eligible for one in cells),
        retained=sum(one.retained for one in cells),
        learners=sum(one.learners for one in cells),
        money=Money(sum(one.money.payers for one in cells), sum(one.money.revenue_minor for one in cells)),
    )
