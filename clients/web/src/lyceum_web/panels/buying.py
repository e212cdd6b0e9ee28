"""What those who have bought will buy, beside what mean spend times frequency would say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.words.values import Count, Label, Missing, Money, Rate, Value

COLUMNS: Final = (
    ("what", Label("buying.what")),
    ("purchases", Label("buying.purchases")),
    ("revenue", Label("buying.revenue")),
)
KINDS: Final = ("came", "expected", "naive")


def queries(look: Look) -> Mapping[str, Query]:
    """Of the usual number of weeks."""
    return {"buying": Query("/v1/metrics/revenue/buying", {"currency": look.currency}, own="creator_id")}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """The table holds the last weeks, forecast from what came before them, against what came."""
    answer = answers["buying"]
    currency, fitted = answer.text("currency"), bool(answer.body.get("parameters"))
    buyers = answer.whole("buyers")
    figures = [
        Figure(Label("buying.buyers"), Count(buyers)),
        Figure(Label("buying.expected_purchases"), _rate(answer, "expected_purchases", fitted)),
        Figure(Label("buying.expected_revenue"), _money(answer, "expected_revenue_minor", currency, fitted)),
        Figure(Label("buying.naive_revenue"), _money(answer, "naive_revenue_minor", currency, fitted)),
        Figure(Label("buying.value"), _money(answer, "value_per_buyer_minor", currency, buyers > 0)),
    ]
    held_out = answer.part("held_out") if answer.body.get("held_out") is not None else None
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(held_out, kind, currency) for kind in KINDS] if held_out else []),
        told=told(answer),
        chart=_chart(held_out, currency) if held_out else None,
        is_empty=not fitted,
    )


def _rate(one: Answer, name: str, known: bool) -> Value:
    found = one.number(name) if known else None
    return Missing() if found is None else Rate(found)


def _money(one: Answer, name: str, currency: str, known: bool = True) -> Value:
    amount_minor = one.number(name) if known else None
    return Missing() if amount_minor is None else Money(amount_minor, currency)


def _names(kind: str) -> tuple[str, str]:
    prefix = "" if kind == "came" else f"{kind}_"
    return f"{prefix}purchases", f"{prefix}revenue_minor"


def _row(one: Answer, kind: str, currency: str) -> list[Value]:
    purchases, revenue = _names(kind)
    return [Label(f"buying.{kind}"), _rate(one, purchases, True), _money(one, revenue, currency)]


def _chart(one: Answer, currency: str) -> Chart:
    found = [_money(one, _names(kind)[1], currency) for kind in KINDS]
    return Chart(
        kind="bar",
        title=Label("buying.chart"),
        form="money",
        currency=currency,
        digits=Money(0, currency).digits,
        categories=[Label(f"buying.{kind}") for kind in KINDS],
        series=[
            Series(Label("buying.revenue"), [float(one.amount) if isinstance(one, Money) else None for one in found])
        ],
    )


PANEL: Final = Panel("buying", AUTHORS, queries, view)
