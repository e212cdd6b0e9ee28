"""Writing texts, numbers, money and times in one language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, assert_never
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, format_percent

from lyceum_web.words.texts import TEXTS
from lyceum_web.words.values import Count, Day, Label, Missing, Money, Rate, Raw, Share, Value

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
_LOCALES: Final = {"en": Locale("en"), "zh": Locale("zh", "CN", script="Hans")}
_TAGS: Final = {"en": "en", "zh": "zh-CN"}
_SMALL: Final = 0.001
"""A rate below this is written with its first digits, not as 0."""
LEAST_SHARE: Final = 0.001


@dataclass(frozen=True, slots=True)
class Tongue:
    """One of the two languages."""

    language: Language

    @property
    def tag(self) -> str:
        """As HTML and browsers name it."""
        return _TAGS[self.language]

    def text(self, key: str, **fields: str | int) -> str:
        """A text of the catalogue with its gaps filled. Raises KeyError for one that is not there."""
        found = getattr(TEXTS[key], self.language)
        return str(found.format(**fields)) if fields else str(found)

    def shown(self, value: Value) -> str:
        """A value as people read it."""
        locale = _LOCALES[self.language]
        match value:
            case Label(key, fields):
                return self.text(key, **fields)
            case Raw(text):
                return text
            case Day(day):
                return self.day(day)
            case Count(count):
                return format_decimal(count, locale=locale)
            case Rate(number):
                return format_decimal(number, format=_rate_pattern(number), locale=locale)
            case Share(number):
                return _share(number, locale)
            case Money():
                return _money(value, locale)
            case Missing():
                return self.text("missing")
            case _:
                assert_never(value)

    def day(self, day: date) -> str:
        """A calendar day."""
        return format_date(day, "medium", locale=_LOCALES[self.language])

    def moment(self, at: datetime, zone: ZoneInfo) -> str:
        """A moment as the clocks of the zone show it."""
        return format_datetime(at, "medium", tzinfo=zone, locale=_LOCALES[self.language])


def _share(share: float, locale: Locale) -> str:
    """In tenths of a percent. What is less than half of one, and not nothing, is said to be so."""
    is_tiny = 0 < share < LEAST_SHARE / 2
    return ("<" if is_tiny else "") + format_percent(
        LEAST_SHARE if is_tiny else share, format="#,##0.0%", locale=locale
    )


def _rate_pattern(number: float) -> str:
    return "#,##0.###" if number == 0 or abs(number) >= _SMALL else "@@"


def _money(money: Money, locale: Locale) -> str:
    pattern = locale.currency_formats["standard"].pattern
    digits = f".{'0' * money.digits}" if money.digits else ""
    return format_currency(
        money.amount, money.currency, format=pattern.replace(".00", digits), locale=locale, currency_digits=False
    )
