"""How good contents are, by those who met them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.words.values import Count, Label, Missing, Rate, Raw, Value, share

DRAWN: Final = 10
COLUMNS: Final = (
    ("content", Label("quality.content")),
    ("viewers", Label("quality.viewers")),
    ("completed", Label("quality.completed")),
    ("completion", Label("quality.completion")),
    ("ratings", Label("quality.ratings")),
    ("mean", Label("quality.mean")),
    ("bayesian", Label("quality.bayesian")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """The usual number of contents, best first."""
    return {"quality": Query("/v1/metrics/contents/quality", own="creator_id")}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """As long as nobody has rated anything, there is no rating, not one of 0."""
    answer = answers["quality"]
    contents, mean = answer.each("contents"), answer.number("prior_mean")
    figures = [
        Figure(Label("quality.prior"), Rate(mean) if mean else Missing()),
        Figure(Label("quality.weight"), _rate(answer.number("prior_ratings"))),
    ]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(one, bool(mean)) for one in contents]),
        told=told(answer),
        chart=_chart(contents[:DRAWN]) if contents and mean else None,
        is_empty=not contents,
    )


def _rate(found: float | None) -> Value:
    return Missing() if found is None else Rate(found)


def _name(one: Answer) -> Raw:
    return Raw(one.text("title") or one.text("content_id"))


def _row(one: Answer, rated: bool) -> list[Value]:
    return [
        _name(one),
        Count(one.whole("viewers")),
        Count(one.whole("completed")),
        share(one.number("completion") if one.whole("viewers") else None),
        Count(one.whole("ratings")),
        _rate(one.number("mean_rating") if one.whole("ratings") else None),
        _rate(one.number("bayesian_rating") if rated else None),
    ]


def _chart(contents: list[Answer]) -> Chart:
    return Chart(
        kind="bar",
        title=Label("quality.chart"),
        form="rate",
        categories=[_name(one) for one in contents],
        series=[Series(Label("quality.bayesian"), [one.number("bayesian_rating") for one in contents])],
    )


PANEL: Final = Panel("quality", AUTHORS, queries, view)
