"""Windows are whole calendar days in one zone. The day of `as_of` is the last day of a window and wholly included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


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
    return at.astimezone(zone).date()


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day, UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
