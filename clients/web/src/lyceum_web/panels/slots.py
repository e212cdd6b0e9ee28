"""Which recommendation slots views and orders are owed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.gateway.client import Parameters
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.words.values import Count, Label, Money, Raw, Value, share

MAX_DAYS: Final = 366
COUNTS: Final = ("shown", "opened", "paid")
COLUMNS: Final = (
    ("slot", Label("slots.slot")),
    ("method", Label("slots.method")),
    *((name, Label(f"slots.{name}")) for name in COUNTS),
    ("charged", Label("slots.charged")),
)


def attribution_query(look: Look) -> Query:
    """In the chosen window; the panel of promotions asks the same."""
    asked: Parameters = {"window_days": min(look.days, MAX_DAYS), "currency": look.currency}
    return Query("/v1/metrics/attribution", asked, own="creator_id")


def queries(look: Look) -> Mapping[str, Query]:
    """One answer has all slots."""
    return {"attribution": attribution_query(look)}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """The row without a slot is what no recommendation led to."""
    answer = answers["attribution"]
    slots, currency = answer.each("slots"), answer.text("currency")
    opened, led = (sum(one.whole("opened") for one in ones) for ones in (slots, _led(slots)))
    paid, bought = (sum(one.whole("paid") for one in ones) for ones in (slots, _led(slots)))
    figures = [
        Figure(Label("slots.opened_share"), share(led / opened if opened else None)),
        Figure(Label("slots.paid_share"), share(bought / paid if paid else None)),
        Figure(Label("slots.shown"), Count(sum(one.whole("shown") for one in slots))),
    ]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(one, currency) for one in slots]),
        told=told(answer),
        chart=_chart(slots) if slots else None,
        is_empty=not slots,
    )


def _led(slots: list[Answer]) -> list[Answer]:
    return [one for one in slots if one.text("slot")]


def _name(one: Answer) -> Value:
    return Raw(one.text("slot")) if one.text("slot") else Label("slots.none")


def _row(one: Answer, currency: str) -> list[Value]:
    counts = (Count(one.whole(name)) for name in COUNTS)
    return [_name(one), Raw(one.text("method")), *counts, Money(one.whole("charged_minor"), currency)]


def _chart(slots: list[Answer]) -> Chart:
    return Chart(
        kind="bar",
        title=Label("slots.chart"),
        form="count",
        categories=[_name(one) for one in slots],
        series=[
            Series(Label(f"slots.{name}"), [float(one.whole(name)) for one in slots]) for name in ("opened", "paid")
        ],
    )


PANEL: Final = Panel("slots", AUTHORS, queries, view)
