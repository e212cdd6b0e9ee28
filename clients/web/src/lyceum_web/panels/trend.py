"""Active members day by day, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.words.values import Count, Day, Label, Value, rate, share

MAX_DAYS: Final = 400
COUNTS: Final = ("active", "new_members", "returning", "resurrecting", "dormant", "interactions")
ROLLING: Final = ("weekly_active", "monthly_active")
COLUMNS: Final = (
    ("day", Label("col.day")),
    *((name, Label(f"trend.{name}")) for name in COUNTS),
    ("frequency", Label("trend.frequency")),
    *((name, Label(f"trend.{name}")) for name in ROLLING),
    ("stickiness", Label("trend.stickiness")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """The chosen days, as many as an answer may have."""
    return {"trend": Query("/v1/metrics/activity/trend", {"periods": min(look.days, MAX_DAYS)}, own="creator_id")}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """The newest day is the last; it may still last."""
    answer = answers["trend"]
    days = answer.each("periods")
    anybody = any(day.whole("monthly_active") for day in days)
    last = days[-1:]
    figures = [
        Figure(Label(f"trend.{name}_now"), Count(day.whole(name))) for day in last for name in ("active", *ROLLING)
    ]
    figures += [Figure(Label("trend.stickiness"), _stickiness(day)) for day in last]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(day) for day in days]),
        told=told(answer),
        chart=_chart(days) if anybody else None,
        is_empty=not anybody,
    )


def _stickiness(day: Answer) -> Value:
    return share(day.number("stickiness") if day.whole("monthly_active") else None)


def _row(day: Answer) -> list[Value]:
    return [
        Day(day.day("first_day")),
        *(Count(day.whole(name)) for name in COUNTS),
        rate(day.number("frequency") if day.whole("active") else None),
        *(Count(day.whole(name)) for name in ROLLING),
        _stickiness(day),
    ]


def _chart(days: list[Answer]) -> Chart:
    return Chart(
        kind="line",
        title=Label("trend.chart"),
        form="count",
        categories=[Day(day.day("first_day")) for day in days],
        series=[
            Series(Label(f"trend.{name}"), [float(day.whole(name)) for day in days]) for name in ("active", *ROLLING)
        ],
    )


PANEL: Final = Panel("trend", AUTHORS, queries, view)
