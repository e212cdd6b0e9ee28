"""What was paid, day by day or month by month: gross, discount, charged, commission and net."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.words.values import Count, Day, Label, Missing, Money, Value

MOST_DAYS: Final = 92
"""Longer windows are shown by month."""
DAYS_PER_MONTH: Final = 30
AMOUNTS: Final = ("gross", "discount", "charged", "commission", "net")
COLUMNS: Final = (
    ("period", Label("earnings.period")),
    ("orders", Label("earnings.orders")),
    ("payers", Label("earnings.payers")),
    *((name, Label(f"earnings.{name}")) for name in AMOUNTS),
    ("arpu", Label("earnings.arpu")),
    ("arppu", Label("earnings.arppu")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """The chosen days, or so many months."""
    by_day = look.days <= MOST_DAYS
    periods = look.days if by_day else -(-look.days // DAYS_PER_MONTH)
    asked = {"period": "day" if by_day else "month", "periods": periods, "currency": look.currency}
    return {"trend": Query("/v1/metrics/revenue/trend", asked, own="creator_id")}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """Periods without an order are zeros, not gaps."""
    answer = answers["trend"]
    currency, total, periods = answer.text("currency"), answer.part("total"), answer.each("periods")
    figures = [Figure(Label(f"earnings.{name}"), _amount(total, name, currency)) for name in AMOUNTS]
    figures += [
        Figure(Label("earnings.orders"), Count(total.whole("orders"))),
        Figure(Label("earnings.payers"), Count(total.whole("payers"))),
        Figure(Label("earnings.arppu"), _mean(total, "per_payer_minor", "payers", currency)),
    ]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(one, currency) for one in periods]),
        told=told(answer),
        chart=_chart(periods, currency) if total.whole("orders") else None,
        is_empty=not total.whole("orders"),
    )


def _amount(one: Answer, name: str, currency: str) -> Money:
    return Money(one.whole(f"{name}_minor"), currency)


def _mean(one: Answer, name: str, of: str, currency: str) -> Value:
    mean_minor = one.number(name) if one.whole(of) else None
    return Missing() if mean_minor is None else Money(mean_minor, currency)


def _row(one: Answer, currency: str) -> list[Value]:
    return [
        Day(one.day("first_day")),
        Count(one.whole("orders")),
        Count(one.whole("payers")),
        *(_amount(one, name, currency) for name in AMOUNTS),
        _mean(one, "per_member_minor", "members", currency),
        _mean(one, "per_payer_minor", "payers", currency),
    ]


def _chart(periods: list[Answer], currency: str) -> Chart:
    return Chart(
        kind="bar",
        title=Label("earnings.chart"),
        form="money",
        currency=currency,
        digits=Money(0, currency).digits,
        categories=[Day(one.day("first_day")) for one in periods],
        series=[
            Series(Label(f"earnings.{name}"), [float(_amount(one, name, currency).amount) for one in periods])
            for name in ("charged", "net")
        ],
    )


PANEL: Final = Panel("earnings", AUTHORS, queries, view)
