"""Tables as CSV (RFC 4180): commas, CRLF, UTF-8, values as programs read them, and nothing that a spreadsheet runs."""

from __future__ import annotations

import csv
import io
from typing import Final, assert_never

from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import View
from lyceum_web.words.tongue import Tongue
from lyceum_web.words.values import Count, Day, Label, Missing, Money, Rate, Raw, Share, Value

_FORMULA: Final = tuple("=+-@\t\r＝＋－＠")
"""What a text may not begin with; the full-width signs count as formulas in East Asian spreadsheets."""


def as_csv(view: View, tongue: Tongue) -> str:
    """The table with stable column names. Money is in the currency's unit, shares are from 0 to 1, what is unknown is
    empty; each row says as of when, in which zone of days, and in which currency."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*(key for key, _ in view.table.columns), "currency", "as_of", "time_zone"])
    zone = view.told.window.zone.key if view.told.window else ""
    for row in view.table.rows:
        context = [_currency(row), view.told.as_of.isoformat() if view.told.as_of else "", zone]
        writer.writerow([*(_plain(value, tongue) for value in row), *context])
    return out.getvalue()


def file_name(panel: str, view: View, look: Look) -> str:
    """The same for the same question, without its ending: panel, days, and the last day that the figures look at. What
    is of now has neither."""
    if view.told.as_of is None:
        return f"lyceum-{panel}"
    zone = view.told.window.zone if view.told.window else None
    day = look.as_of or view.told.as_of.astimezone(zone).date()
    return f"lyceum-{panel}-{look.days}d-{day.isoformat()}"


def _currency(row: object) -> str:
    values = row if isinstance(row, list | tuple) else []
    return next((value.currency for value in values if isinstance(value, Money)), "")


def _plain(value: Value, tongue: Tongue) -> str:
    match value:
        case Label() | Raw():
            return _harmless(tongue.shown(value))
        case Day(day):
            return day.isoformat()
        case Count(count):
            return str(count)
        case Rate(number) | Share(number):
            return repr(number)
        case Money():
            return str(value.amount)
        case Missing():
            return ""
        case _:
            assert_never(value)


def _harmless(text: str) -> str:
    """A text that a spreadsheet takes for a text. Numbers never come here: a sign before them is theirs."""
    return f"'{text}" if text.startswith(_FORMULA) else text
