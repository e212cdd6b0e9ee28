"""Learning and money of all cohorts together, week after week since the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.cohorts import cohorts_query
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.words.values import Count, Label, Missing, Money, Value, share

COUNTS: Final = ("eligible", "retained", "learners", "payers")
COLUMNS: Final = (
    ("week", Label("worth.week")),
    *((name, Label(f"worth.{name}")) for name in COUNTS),
    ("revenue", Label("worth.revenue")),
    ("per_member", Label("worth.per_member")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """The answer of the cohorts."""
    return {"cohorts": cohorts_query(look)}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """What a member is worth by a week is the sum of the weeks up to it: each of those who had come so far."""
    answer = answers["cohorts"]
    weeks, currency = answer.each("total"), answer.text("currency")
    sums = _sums(weeks)
    figures = [
        Figure(Label("worth.learning"), share(_share(weeks, "learners"))),
        Figure(Label("worth.paying"), share(_share(weeks, "payers"))),
        Figure(Label("worth.value", {"weeks": len(weeks)}), Money(sums[-1], currency) if sums else Missing()),
    ]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(week, total, currency) for week, total in zip(weeks, sums, strict=True)]),
        told=told(answer),
        chart=_chart(weeks) if weeks else None,
        is_empty=not weeks,
    )


def _sums(weeks: list[Answer]) -> list[float]:
    """Revenue per eligible member, in minor units, summed over the weeks so far."""
    found, total = [], 0.0
    for week in weeks:
        total += week.whole("revenue_minor") / max(week.whole("eligible"), 1)
        found.append(total)
    return found


def _share(weeks: list[Answer], name: str) -> float | None:
    first = weeks[0] if weeks else None
    return first.whole(name) / first.whole("eligible") if first and first.whole("eligible") else None


def _row(week: Answer, total: float, currency: str) -> list[Value]:
    return [
        Count(week.whole("first_interval")),
        *(Count(week.whole(name)) for name in COUNTS),
        Money(week.whole("revenue_minor"), currency),
        Money(total, currency),
    ]


def _chart(weeks: list[Answer]) -> Chart:
    return Chart(
        kind="bar",
        title=Label("worth.chart"),
        form="count",
        categories=[Count(week.whole("first_interval")) for week in weeks],
        category_name=Label("cohorts.weeks"),
        series=[
            Series(Label(f"worth.{name}"), [float(week.whole(name)) for week in weeks])
            for name in ("retained", "learners", "payers")
        ],
    )


PANEL: Final = Panel("worth", AUTHORS, queries, view)
