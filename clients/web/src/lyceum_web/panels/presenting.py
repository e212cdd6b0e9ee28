"""A panel as its template gets it: everything is a text in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from lyceum_web.errors import GatewayTrouble
from lyceum_web.panels.charts import described
from lyceum_web.panels.exporting import file_name
from lyceum_web.panels.fetching import Shown
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Told, View
from lyceum_web.words.tongue import Tongue
from lyceum_web.words.values import Count, Missing, Money, Rate, Share, Value

_NUMBERS = (Count, Rate, Share, Money, Missing)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table, or a figure. Numbers stand on the right; what is missing is a dash, said in words to those who
    listen."""

    text: str
    is_number: bool
    is_missing: bool


@dataclass(frozen=True, slots=True)
class Presented:
    """A panel in texts. Where `trouble` is set, the rest is empty."""

    name: str
    trouble: str = ""
    figures: Sequence[tuple[str, Cell]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    chart: Mapping[str, Any] | None = None
    file: str = ""
    is_empty: bool = False
    told: Sequence[tuple[str, str]] = ()
    formula: str = ""


def presented(shown: Shown, look: Look, tongue: Tongue) -> Presented:
    """The panel's view in the reader's language, or what went wrong with it."""
    if shown.view is None:
        return Presented(shown.panel.name, trouble=_trouble(shown.trouble, tongue))
    view = shown.view
    return Presented(
        name=shown.panel.name,
        figures=[(tongue.shown(one.name), _cell(one.value, tongue)) for one in view.figures],
        columns=[tongue.shown(label) for _, label in view.table.columns],
        rows=[[_cell(value, tongue) for value in row] for row in view.table.rows],
        chart=described(view.chart, tongue) if view.chart else None,
        file=file_name(shown.panel.name, view, look),
        is_empty=view.is_empty,
        told=_told(view, look, tongue),
        formula=view.told.formula,
    )


def _trouble(trouble: GatewayTrouble | None, tongue: Tongue) -> str:
    if trouble is None:
        return tongue.text("trouble.failed")
    seconds, field = trouble.retry_after_s, trouble.field or "?"
    return tongue.text(f"trouble.{trouble.trouble}", seconds=seconds, field=field)


def _cell(value: Value, tongue: Tongue) -> Cell:
    return Cell(tongue.shown(value), isinstance(value, _NUMBERS), isinstance(value, Missing))


def _told(view: View, look: Look, tongue: Tongue) -> list[tuple[str, str]]:
    told, zone = view.told, view.told.window.zone if view.told.window else ZoneInfo("UTC")
    lines = _window(told, tongue)
    if told.as_of is None:
        return lines
    lines = [*lines, (tongue.text("told.as_of"), _as_of(told.as_of, look, zone, tongue))]
    fresh = [f"{name}: {tongue.moment(at, zone)}" for name, at in told.applied_at.items()]
    text = tongue.text("separator").join(fresh) or tongue.text("told.fresh_none")
    return [*lines, (tongue.text("told.zone"), zone.key), (tongue.text("told.fresh"), text)]


def _as_of(as_of: datetime, look: Look, zone: ZoneInfo, tongue: Tongue) -> str:
    """A chosen day counts whole; without one, what has come so far counts."""
    if look.as_of is None:
        return tongue.moment(as_of, zone)
    return tongue.text("told.whole_day", day=tongue.day(as_of.astimezone(zone).date()))


def _window(told: Told, tongue: Tongue) -> list[tuple[str, str]]:
    """First and last day, both of them included: the answer's end is the first instant after the last day."""
    if told.window is None:
        return []
    first = told.window.start.date()
    last = max(first, (told.window.end - timedelta(microseconds=1)).date())
    days = tongue.text(
        "told.window_days", first=tongue.day(first), last=tongue.day(last), days=tongue.shown(Count(told.window.days))
    )
    return [(tongue.text("told.window"), days)]
