"""What orders with and without promotions brought, and what promotions took off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.panels.slots import attribution_query
from lyceum_web.words.values import Count, Label, Money, Raw, Value, share

COLUMNS: Final = (
    ("promotion", Label("promotions.promotion")),
    ("paid", Label("promotions.paid")),
    ("payers", Label("promotions.payers")),
    ("charged", Label("promotions.charged")),
    ("discount", Label("promotions.discount")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """The answer of the slots."""
    return {"attribution": attribution_query(look)}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """The row without a promotion is orders at list price."""
    answer = answers["attribution"]
    found, currency = answer.each("promotions"), answer.text("currency")
    orders = sum(one.whole("paid") for one in found)
    promoted = sum(one.whole("paid") for one in found if one.text("promotion_id"))
    figures = [
        Figure(Label("promotions.share"), share(promoted / orders if orders else None)),
        Figure(Label("promotions.discount"), Money(sum(one.whole("discount_minor") for one in found), currency)),
    ]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(one, currency) for one in found]),
        told=told(answer),
        is_empty=not found,
    )


def _row(one: Answer, currency: str) -> list[Value]:
    name = one.text("name") or one.text("promotion_id")
    return [
        Raw(name) if name else Label("promotions.none"),
        Count(one.whole("paid")),
        Count(one.whole("payers")),
        Money(one.whole("charged_minor"), currency),
        Money(one.whole("discount_minor"), currency),
    ]


PANEL: Final = Panel("promotions", AUTHORS, queries, view)
