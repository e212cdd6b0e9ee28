"""A member's own interactions per day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import MEMBERS
from lyceum_web.panels.windows import windows
from lyceum_web.words.values import Count, Label, rate

PATH: Final = "/v1/metrics/members/{member_id}/activity"
COLUMNS: Final = (
    ("window_days", Label("col.window_days")),
    ("interactions", Label("col.interactions")),
    ("per_day", Label("own_activity.rate")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """One for each window."""
    return {str(days): Query(PATH, {"window_days": days}) for days in windows(look.days)}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """None at all is a figure, too: 0, and said plainly."""
    chosen = answers[str(look.days)]
    shown = [(days, answers[str(days)]) for days in windows(look.days)]
    has_any = any(answer.whole("interactions") for _, answer in shown)
    figures = [
        Figure(Label("own_activity.rate"), rate(chosen.number("rate_per_day"))),
        Figure(Label("col.interactions"), Count(chosen.whole("interactions"))),
    ]
    rows = [[Count(days), Count(one.whole("interactions")), rate(one.number("rate_per_day"))] for days, one in shown]
    return View(
        figures=figures,
        table=Table(COLUMNS, rows),
        told=told(chosen),
        chart=_chart(shown) if has_any else None,
        is_empty=not has_any,
    )


def _chart(shown: list[tuple[int, Answer]]) -> Chart:
    return Chart(
        kind="bar",
        title=Label("own_activity.chart"),
        form="rate",
        categories=[Count(days) for days, _ in shown],
        category_name=Label("col.window_days"),
        series=[Series(Label("own_activity.rate"), [answer.number("rate_per_day") for _, answer in shown])],
    )


PANEL: Final = Panel("own_activity", MEMBERS, queries, view)
