"""Weekly cohorts: which share of those who began in a week is active in the weeks after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.gateway.client import Parameters
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.words.values import Count, Day, Label, Value, share

WEEKS: Final = 12
COLUMNS: Final = (
    ("cohort", Label("cohorts.cohort")),
    ("members", Label("cohorts.members")),
    *((f"week_{week}", Label("cohorts.week", {"week": week})) for week in range(WEEKS)),
)
LARGE: Final = (1, 4, 8)


def cohorts_query(look: Look) -> Query:
    """Twelve weeks, by first activity; the panel of learning and money asks the same."""
    asked: Parameters = {"start": "first_active", "cohorts": WEEKS, "intervals": WEEKS, "currency": look.currency}
    return Query("/v1/metrics/cohorts", asked, own="creator_id")


def queries(look: Look) -> Mapping[str, Query]:
    """One answer has all cohorts."""
    return {"cohorts": cohorts_query(look)}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """A week that has not closed for a cohort has no cell."""
    answer = answers["cohorts"]
    cohorts = [one for one in answer.each("cohorts") if one.whole("members")]
    rates = _rates(answer.each("total"))
    return View(
        figures=[Figure(Label("cohorts.after", {"week": week}), share(rates[week])) for week in LARGE],
        table=Table(COLUMNS, [_row(one) for one in cohorts]),
        told=told(answer),
        chart=_chart(cohorts) if any(one.each("cells") for one in cohorts) else None,
        is_empty=not cohorts,
    )


def _rates(cells: list[Answer]) -> list[float | None]:
    known = {cell.whole("first_interval"): cell.number("rate") for cell in cells}
    return [known.get(week) for week in range(WEEKS)]


def _row(one: Answer) -> list[Value]:
    rates = map(share, _rates(one.each("cells")))
    return [Day(one.day("first_day")), Count(one.whole("members")), *rates]


def _chart(cohorts: list[Answer]) -> Chart:
    return Chart(
        kind="heat",
        title=Label("cohorts.chart"),
        form="share",
        categories=[Count(week) for week in range(WEEKS)],
        category_name=Label("cohorts.weeks"),
        series=[Series(Day(one.day("first_day")), _rates(one.each("cells"))) for one in cohorts],
    )


PANEL: Final = Panel("cohorts", AUTHORS, queries, view)
