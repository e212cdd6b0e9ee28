"""What may still be lost of members' privacy this month, and what was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, Told, View
from lyceum_web.panels.roles import AUTHORS
from lyceum_web.words.values import Count, Label, Raw, Value, rate, share

MOST: Final = 50
COLUMNS: Final = (
    ("owner", Label("privacy.owner")),
    ("accounting", Label("privacy.accounting")),
    ("granted", Label("privacy.granted")),
    ("spent", Label("privacy.spent")),
    ("left", Label("privacy.left")),
    ("releases", Label("privacy.releases")),
    ("epsilon", Label("privacy.epsilon")),
    ("delta", Label("privacy.delta")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """The present period; the platform's budget, and those of creators who have paid, or the reader's own."""
    budget = "/v1/metrics/releases/budget"
    return {
        "all": Query(budget, {"page_size": MOST}, own="owner", dated=False),
        "platform": Query(budget, {"owner": "platform"}, own="owner", dated=False),
    }


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """The first one is drawn as a gauge: the platform's for operators, their own for creators."""
    budgets = answers["platform"].each("budgets")
    known = {one.text("owner") for one in budgets}
    budgets += [one for one in answers["all"].each("budgets") if one.text("owner") not in known]
    figures = [figure for one in budgets[:1] for figure in _figures(one)]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(one) for one in budgets]),
        told=Told(budgets[0].text("conversion") if budgets else "", None, None, {}),
        chart=_chart(budgets[0]) if budgets else None,
        is_empty=not budgets,
    )


def _left(one: Answer) -> float | None:
    granted, left = one.number("granted"), one.number("left")
    return left / granted if granted and left is not None else None


def _figures(one: Answer) -> list[Figure]:
    return [
        Figure(Label("privacy.period"), Raw(one.text("period"))),
        Figure(Label("privacy.left_share"), share(_left(one))),
        Figure(Label("privacy.releases"), Count(one.whole("releases"))),
        Figure(Label("privacy.epsilon"), rate(one.number("epsilon"))),
    ]


def _row(one: Answer) -> list[Value]:
    amounts = (rate(one.number(name)) for name in ("granted", "spent", "left"))
    return [
        Label("privacy.platform") if one.text("owner") == "platform" else Raw(one.text("owner")),
        Raw(one.text("accounting")),
        *amounts,
        Count(one.whole("releases")),
        rate(one.number("epsilon")),
        Raw(f"{one.number('delta') or 0.0:.1e}"),
    ]


def _chart(one: Answer) -> Chart:
    return Chart(
        kind="gauge",
        title=Label("privacy.chart"),
        form="share",
        series=[Series(Label("privacy.left_share"), [_left(one)])],
    )


PANEL: Final = Panel("privacy", AUTHORS, queries, view)
