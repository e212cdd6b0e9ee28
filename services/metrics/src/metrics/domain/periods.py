"""Calendar periods: days, weeks from Monday, and months. Each has a number, by which neighbours are one apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from metrics.domain.windows import DAY, Window, midnight

Period = Literal["day", "week", "month"]
PERIODS: Final[tuple[Period, ...]] = ("day", "week", "month")
DAYS_PER_WEEK: Final = 7
MONTHS_PER_YEAR: Final = 12

NUMBER_SQL: Final[Mapping[Period, str]] = {
    "day": "({0} - DATE '0001-01-01')",
    "week": "({0} - DATE '0001-01-01') / 7",
    "month": "(extract(year FROM {0})::int * 12 + extract(month FROM {0})::int - 1)",
}
"""The number of the period of a date, as an expression of PostgreSQL. 1 January of the year 1 was a Monday."""


def number(day: date, period: Period) -> int:
    """The number of the period in which a day lies."""
    days = (day - date.min).days
    if period == "month":
        return day.year * MONTHS_PER_YEAR + day.month - 1
    return days // DAYS_PER_WEEK if period == "week" else days


def first_day(numbered: int, period: Period) -> date:
    """The first day of a period."""
    if period == "month":
        return date(numbered // MONTHS_PER_YEAR, numbered % MONTHS_PER_YEAR + 1, 1)
    return date.min + numbered * (DAYS_PER_WEEK if period == "week" else 1) * DAY


@dataclass(frozen=True, slots=True)
class Periods:
    """The periods numbered `first` to `last`, both included. The last ends with `last_day` or later."""

    period: Period
    first: int
    last: int
    last_day: date
    zone: ZoneInfo

    @property
    def window(self) -> Window:
        """The days from the first period's first to `last_day`."""
        return Window(first_day(self.first, self.period), self.last_day, self.zone)

    @property
    def closed(self) -> int:
        """The number of the last period that is over with `last_day`."""
        return self.last if self.last_day_of(self.last) <= self.last_day else self.last - 1

    def last_day_of(self, numbered: int) -> date:
        """The last day of a period."""
        return first_day(numbered + 1, self.period) - DAY

    @property
    def edges(self) -> list[datetime]:
        """The first instant of each period, and the first after `last_day`."""
        starts = [midnight(first_day(one, self.period), self.zone) for one in range(self.first, self.last + 1)]
        return [*starts, self.window.end]


def ending(last_day: date, count: int, period: Period, zone: ZoneInfo) -> Periods:
    """The `count` periods of which the last holds `last_day`."""
    last = number(last_day, period)
    return Periods(period, last - count + 1, last, last_day, zone)
