"""What a reader of the dashboard wants to look at, as the address of the page says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final, NoReturn
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from lyceum_web.errors import PageRefused

DAYS: Final = 30
MAX_DAYS: Final = 3660
CURRENCY: Final = "CNY"
FIRST_DAY, LAST_DAY = date(1970, 1, 2), date(2999, 12, 30)
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_NUMBER: Final = re.compile(r"[0-9]{1,4}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Look:
    """The last `days` days up to the end of the day `as_of` (None: today), with money in `currency`."""

    days: int = DAYS
    as_of: date | None = None
    currency: str = CURRENCY

    @property
    def fields(self) -> dict[str, str]:
        """What differs from the usual, as fields of an address or a form."""
        usual, asked = Look().every_field, self.every_field
        return {name: value for name, value in asked.items() if value != usual[name]}

    @property
    def every_field(self) -> dict[str, str]:
        """All of it, as fields of a form."""
        day = self.as_of.isoformat() if self.as_of else ""
        return {"days": str(self.days), "as_of": day, "currency": self.currency}

    @property
    def query(self) -> str:
        """With its question mark; empty for the usual look."""
        return f"?{urlencode(self.fields)}" if self.fields else ""

    def moment(self, zone: ZoneInfo) -> str:
        """A moment of the day `as_of` in the platform's zone, for the gateway; empty for today.

        Noon: clocks go forward or back at night, so noon is on its day everywhere.
        """
        if self.as_of is None:
            return ""
        noon = datetime.combine(self.as_of, time(12), zone).astimezone(UTC)
        return noon.isoformat().replace("+00:00", "Z")


def look_of(told: Mapping[str, str]) -> Look:
    """What the fields of an address or form ask for; what is absent or empty is as usual. Raises `PageRefused` for what
    cannot be."""
    days, day, currency = (told.get(name, "").strip() for name in ("days", "as_of", "currency"))
    return Look(
        days=_days(days) if days else DAYS,
        as_of=_day(day) if day else None,
        currency=_currency(currency.upper()) if currency else CURRENCY,
    )


def _days(text: str) -> int:
    found = int(text) if _NUMBER.fullmatch(text) else 0
    return found if 1 <= found <= MAX_DAYS else _refuse("days")


def _day(text: str) -> date:
    try:
        found = date.fromisoformat(text) if _DAY.fullmatch(text) else LAST_DAY
    except ValueError:
        return _refuse("as_of")
    return found if FIRST_DAY <= found < LAST_DAY else _refuse("as_of")


def _currency(text: str) -> str:
    return text if _CURRENCY.fullmatch(text) else _refuse("currency")


def _refuse(field: str) -> NoReturn:
    raise PageRefused(400, "refused.bad_choice", field=field)
