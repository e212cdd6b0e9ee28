"""Survival of those who came, as observed and as three models project it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.words.values import Count, Label, Missing, Raw, Value, share

MODELS: Final = ("pt", "sbg", "bdw")
COLUMNS: Final = (
    ("week", Label("survival.week")),
    ("observed", Label("survival.observed")),
    *((model, Label(f"survival.{model}")) for model in MODELS),
    ("low", Label("survival.low")),
    ("high", Label("survival.high")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """Weeks, as many observed and ahead as is usual."""
    return {"forecast": Query("/v1/metrics/retention/forecast", own="creator_id")}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """Low and high are those of the model with the least error; without one, of none."""
    answer = answers["forecast"]
    models = {one.text("model"): one for one in answer.each("models")}
    chosen, observed = models.get(answer.text("chosen")), answer.numbers("observed")
    weeks = max([len(observed), *(len(one.each("shares")) for one in models.values())]) if models else 0
    observed += [None] * (weeks - len(observed))
    figures = [
        Figure(Label("survival.members"), Count(answer.whole("members"))),
        Figure(Label("survival.chosen"), Label(f"survival.{chosen.text('model')}") if chosen else Missing()),
        *(Figure(Label("survival.error", {"model": name}), _error(one)) for name, one in models.items()),
    ]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(week, observed[week], models, chosen) for week in range(weeks)]),
        told=told(answer),
        chart=_chart(observed, models, chosen) if models else None,
        is_empty=not models,
    )


def _error(model: Answer) -> Value:
    percent = model.maybe("error_percent")
    return share(None if percent is None else percent / 100)


def _point(model: Answer | None, week: int, name: str) -> float | None:
    shares = model.each("shares") if model else []
    return shares[week].number(name) if week < len(shares) else None


def _row(week: int, observed: float | None, models: Mapping[str, Answer], chosen: Answer | None) -> list[Value]:
    projected = (_point(models.get(model), week, "share") for model in MODELS)
    bounds = (_point(chosen, week, name) for name in ("low", "high"))
    return [Count(week), share(observed), *map(share, projected), *map(share, bounds)]


def _chart(observed: list[float | None], models: Mapping[str, Answer], chosen: Answer | None) -> Chart:
    weeks = range(len(observed))
    series = [Series(Label("survival.observed"), observed)]
    for name, model in models.items():
        bounds = [[_point(model, week, end) for week in weeks] if model is chosen else [] for end in ("low", "high")]
        known = Label(f"survival.{name}") if name in MODELS else Raw(name)
        series.append(Series(known, [_point(model, week, "share") for week in weeks], *bounds))
    return Chart(
        kind="line",
        title=Label("survival.chart"),
        form="share",
        categories=[Count(week) for week in weeks],
        category_name=Label("survival.week"),
        series=series,
    )


PANEL: Final = Panel("survival", AUTHORS, queries, view)
