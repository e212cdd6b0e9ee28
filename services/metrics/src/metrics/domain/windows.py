"""Windows are whole calendar days in one zone. The day of `as_of` is the last day of a window and wholly included.

A day lasts from its first instant to the first instant of the next day. Where clocks go back over midnight, they show
the day before again for a while. That while belongs to the day that had begun: each day is one piece of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """The days from `first_day` to `last_day`, both included, in `zone`."""

    first_day: date
    last_day: date
    zone: ZoneInfo

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.last_day - self.first_day).days + 1

    @property
    def start(self) -> datetime:
        """The window's first instant, UTC."""
        return midnight(self.first_day, self.zone)

    @property
    def end(self) -> datetime:
        """The first instant after the window, UTC."""
        return midnight(self.last_day + DAY, self.zone)

    def before(self, days: int) -> Window:
        """The `days` days that precede this window."""
        return ending(self.first_day - DAY, days, self.zone)


def ending(last_day: date, days: int, zone: ZoneInfo) -> Window:
    """The window of `days` days that ends with `last_day`."""
    return Window(last_day - (days - 1) * DAY, last_day, zone)


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """The calendar day of an instant."""
    shown = at.astimezone(zone).date()
    return shown + DAY if shown < date.max and at >= midnight(shown + DAY, zone) else shown


@lru_cache(maxsize=4096)
def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day, UTC. Where clocks go forward over midnight, it is the instant at which they do."""
    local = datetime.combine(day, time(), zone)  # the first of two midnights, if there are two
    found = local.astimezone(UTC)
    if found.astimezone(zone).date() == day and found.astimezone(zone).time() == time():
        return found
    return _first_after(local.replace(fold=1).astimezone(UTC), found, local.utcoffset(), zone)


def _first_after(before: datetime, after: datetime, offset: timedelta | None, zone: ZoneInfo) -> datetime:
    """The instant after `before`, and not after `after`, from which on the zone no longer has this offset."""
    while after - before > SECOND:
        middle = before + (after - before) // 2
        middle -= timedelta(microseconds=middle.microsecond)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
