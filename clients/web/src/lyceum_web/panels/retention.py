"""L(t) = p^t: which share of a day's active members is active again t days later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import OPERATORS
from lyceum_web.words.values import Count, Label, Value, share

T_DAYS: Final = (1, 2, 3, 5, 7, 14, 21, 30, 60, 90)
LARGE: Final = (1, 7, 30)
"""The t whose L(t) is shown large."""
COLUMNS: Final = (("t_days", Label("retention.t")), ("l", Label("retention.l")))


def queries(look: Look) -> Mapping[str, Query]:
    """All t in one answer. It looks at all days up to the chosen one, not at a window."""
    return {"retention": Query("/v1/metrics/retention", {"t_days": T_DAYS})}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """Where no day has a next day to look at, p is not 0 but unknown."""
    answer = answers["retention"]
    exposed = answer.whole("exposed")
    points = {one.whole("t_days"): one.number("l") if exposed else None for one in answer.each("points")}
    p = answer.number("p") if exposed else None
    figures = [
        Figure(Label("retention.p"), share(p)),
        *(Figure(Label("retention.after", {"days": t}), share(points.get(t))) for t in LARGE),
        Figure(Label("retention.exposed"), Count(exposed)),
        Figure(Label("retention.survived"), Count(answer.whole("survived"))),
    ]
    rows: list[list[Value]] = [[Count(t), share(value)] for t, value in points.items()]
    return View(
        figures=figures,
        table=Table(COLUMNS, rows),
        told=told(answer),
        chart=_chart(points) if exposed else None,
        is_empty=exposed == 0,
    )


def _chart(points: Mapping[int, float | None]) -> Chart:
    return Chart(
        kind="line",
        title=Label("retention.chart"),
        form="share",
        categories=[Count(t) for t in points],
        category_name=Label("retention.t"),
        series=[Series(Label("retention.l"), list(points.values()))],
    )


PANEL: Final = Panel("retention", OPERATORS, queries, view)
