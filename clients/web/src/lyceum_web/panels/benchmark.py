"""What is usual on the platform, from noised releases: for creators to compare themselves with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.gateway.client import Parameters
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, Told, View
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.words.values import Count, Label, Value, rate

WINDOW_DAYS: Final = 28
COMPARED: Final = (
    "active_members_per_creator",
    "interactions_per_active_member",
    "conversion",
    "mean_rating",
)
COLUMNS: Final = (
    ("figure", Label("col.figure")),
    ("value", Label("benchmark.value")),
    ("low", Label("benchmark.low")),
    ("high", Label("benchmark.high")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """An earlier release will do: a page that is looked at again costs nothing."""
    asked: Parameters = {"window_days": WINDOW_DAYS, "accept_earlier": "true"}
    return {"benchmark": Query("/v1/metrics/releases/benchmark", asked, dated=False)}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """Each figure with the bounds of its noise. Where too few members stand behind them, there are none."""
    answer = answers["benchmark"]
    release = answer.part("release")
    found = {one.text("name"): one for one in release.each("figures") if not one.text("partition")}
    shown = [found[name] for name in COMPARED if name in found]
    figures = [Figure(_name(one), rate(one.number("value"))) for one in shown]
    figures.append(Figure(Label("benchmark.under"), Count(release.whole("suppressed_under_members"))))
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(one) for one in shown]),
        told=Told(release.text("guarantee"), answer.window("window"), release.moment("made_at"), {}),
        chart=_chart(shown) if shown else None,
        is_empty=not shown,
    )


def _name(one: Answer) -> Label:
    return Label(f"benchmark.{one.text('name')}")


def _bounds(one: Answer) -> tuple[float | None, float | None]:
    value, error = one.number("value"), one.number("error")
    return (None, None) if value is None or error is None else (value - error, value + error)


def _row(one: Answer) -> list[Value]:
    return [_name(one), rate(one.number("value")), *map(rate, _bounds(one))]


def _chart(shown: list[Answer]) -> Chart:
    bounds = [_bounds(one) for one in shown]
    return Chart(
        kind="bar",
        title=Label("benchmark.chart"),
        form="rate",
        categories=[_name(one) for one in shown],
        series=[
            Series(
                Label("benchmark.value"),
                [one.number("value") for one in shown],
                [low for low, _ in bounds],
                [high for _, high in bounds],
            )
        ],
    )


PANEL: Final = Panel("benchmark", AUTHORS, queries, view)
