"""R = N*C*P for the days to come with its interval, and how such forecasts did before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.gateway.client import Parameters
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.words.values import Day, Label, Missing, Money, Value, share

MAX_DAYS: Final = 366
COLUMNS: Final = (
    ("first_day", Label("outlook.first_day")),
    ("last_day", Label("outlook.last_day")),
    ("forecast", Label("outlook.forecast")),
    ("low", Label("outlook.low")),
    ("high", Label("outlook.high")),
    ("came", Label("outlook.came")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """Of windows as long as the chosen one."""
    asked: Parameters = {"window_days": min(look.days, MAX_DAYS), "currency": look.currency}
    return {"forecast": Query("/v1/metrics/revenue/forecast", asked, own="creator_id")}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """Without anything earned there is nothing to go by."""
    answer = answers["forecast"]
    currency, trials = answer.text("currency"), answer.each("trials")
    known = bool(answer.number("revenue_minor")) or any(one.whole("revenue_minor") for one in trials)
    error = answer.maybe("error_percent")
    figures = [
        Figure(Label("outlook.coming"), _money(answer, "revenue_minor", currency) if known else Missing()),
        Figure(Label("outlook.low"), _money(answer, "low_minor", currency) if known else Missing()),
        Figure(Label("outlook.high"), _money(answer, "high_minor", currency) if known else Missing()),
        Figure(Label("outlook.coverage"), share(answer.maybe("coverage") if known else None)),
        Figure(Label("outlook.error"), share(None if error is None else error / 100)),
    ]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(one, currency) for one in trials]),
        told=told(answer),
        chart=_chart(trials, currency) if known and trials else None,
        is_empty=not known,
    )


def _money(one: Answer, name: str, currency: str) -> Value:
    amount_minor = one.number(name)
    return Missing() if amount_minor is None else Money(amount_minor, currency)


def _row(one: Answer, currency: str) -> list[Value]:
    days = (Day(one.day("first_day")), Day(one.day("last_day")))
    amounts = (_money(one, name, currency) for name in ("forecast_minor", "low_minor", "high_minor"))
    return [*days, *amounts, Money(one.whole("revenue_minor"), currency)]


def _chart(trials: list[Answer], currency: str) -> Chart:
    def points(name: str) -> list[float | None]:
        found = (_money(one, name, currency) for one in trials)
        return [float(one.amount) if isinstance(one, Money) else None for one in found]

    return Chart(
        kind="line",
        title=Label("outlook.chart"),
        form="money",
        currency=currency,
        digits=Money(0, currency).digits,
        categories=[Day(one.day("first_day")) for one in trials],
        series=[
            Series(Label("outlook.came"), points("revenue_minor")),
            Series(Label("outlook.forecast"), points("forecast_minor"), points("low_minor"), points("high_minor")),
        ],
    )


PANEL: Final = Panel("outlook", AUTHORS, queries, view)
