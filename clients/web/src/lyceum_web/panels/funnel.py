"""From the first view of paid content to its completion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.words.values import Count, Label, Value, share

STEPS: Final = ("viewed", "quoted", "paid", "completed")
COLUMNS: Final = (
    ("step", Label("funnel.step")),
    ("pairs", Label("funnel.pairs")),
    ("members", Label("funnel.members")),
    ("from_previous", Label("funnel.from_previous")),
    ("from_first", Label("funnel.from_first")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """First views in the chosen window."""
    return {"funnel": Query("/v1/metrics/funnel", {"window_days": look.days}, own="creator_id")}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """Steps of one pair of member and content; pairs that are open may still come further."""
    answer = answers["funnel"]
    steps = {one.text("step"): one for one in answer.each("steps")}
    viewed = steps["viewed"].whole("pairs") if "viewed" in steps else 0
    known = [steps[name] for name in STEPS if name in steps]
    figures = [
        *(Figure(Label(f"funnel.{name}"), Count(steps[name].whole("pairs"))) for name in STEPS if name in steps),
        Figure(Label("funnel.open"), Count(answer.whole("open"))),
    ]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(one, viewed) for one in known]),
        told=told(answer),
        chart=_chart(known) if viewed else None,
        is_empty=not viewed,
    )


def _row(one: Answer, viewed: int) -> list[Value]:
    return [
        Label(f"funnel.{one.text('step')}"),
        Count(one.whole("pairs")),
        Count(one.whole("members")),
        share(one.number("from_previous") if viewed else None),
        share(one.number("from_first") if viewed else None),
    ]


def _chart(steps: list[Answer]) -> Chart:
    return Chart(
        kind="bar",
        title=Label("funnel.chart"),
        form="count",
        categories=[Label(f"funnel.{one.text('step')}") for one in steps],
        series=[Series(Label("funnel.pairs"), [float(one.whole("pairs")) for one in steps])],
    )


PANEL: Final = Panel("funnel", AUTHORS, queries, view)
