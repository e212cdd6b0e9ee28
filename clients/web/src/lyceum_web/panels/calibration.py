"""How well the probability of activity held in the past weeks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import OPERATORS
from lyceum_web.words.values import Count, Label, Share, Value, rate, share

COLUMNS: Final = (
    ("from", Label("calibration.from")),
    ("to", Label("calibration.to")),
    ("situations", Label("calibration.situations")),
    ("predicted", Label("calibration.predicted")),
    ("observed", Label("calibration.observed")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """The usual number of weeks."""
    return {"calibration": Query("/v1/metrics/retention/calibration")}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """A probability that holds has predicted and observed close together in every row."""
    answer = answers["calibration"]
    situations, bins = answer.whole("situations"), answer.each("bins")
    figures = [
        Figure(Label("calibration.brier"), rate(answer.number("brier") if situations else None)),
        Figure(Label("calibration.base"), rate(answer.number("brier_of_base_rate") if situations else None)),
        Figure(Label("calibration.situations"), Count(situations)),
    ]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(one) for one in bins]),
        told=told(answer),
        chart=_chart(bins) if bins else None,
        is_empty=not situations,
    )


def _row(one: Answer) -> list[Value]:
    shares = [share(one.number(name)) for name in ("from", "to", "predicted", "observed")]
    return [*shares[:2], Count(one.whole("situations")), *shares[2:]]


def _chart(bins: list[Answer]) -> Chart:
    return Chart(
        kind="line",
        title=Label("calibration.chart"),
        form="share",
        categories=[Share(one.number("from") or 0.0) for one in bins],
        category_name=Label("calibration.from"),
        series=[
            Series(Label(f"calibration.{name}"), [one.number(name) for one in bins])
            for name in ("predicted", "observed")
        ],
    )


PANEL: Final = Panel("calibration", OPERATORS, queries, view)
