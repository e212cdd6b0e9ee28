"""R = N * C * P, in the chosen window, in those beside it, and since the first order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import OPERATORS
from lyceum_web.panels.windows import windows
from lyceum_web.words.values import Count, Label, Missing, Money, Value, share

EVER: Final = 0
"""As the gateway says it: since the first paid order."""
COLUMNS: Final = (
    ("window", Label("revenue.window")),
    ("r", Label("revenue.r")),
    ("n", Label("revenue.n")),
    ("c", Label("revenue.c")),
    ("p", Label("revenue.p")),
    ("payers", Label("revenue.payers")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """One for each window."""
    return {
        str(days): Query("/v1/metrics/revenue", {"window_days": days, "currency": look.currency})
        for days in _shown(look)
    }


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """C needs a payer and P a member; without them they are unknown, while R is 0 for certain."""
    chosen = answers[str(look.days)]
    has_payers = any(answer.whole("payers") for answer in answers.values())
    figures = [
        Figure(Label("revenue.r"), _revenue(chosen)),
        Figure(Label("revenue.n"), Count(chosen.whole("members"))),
        Figure(Label("revenue.c"), _mean(chosen)),
        Figure(Label("revenue.p"), _conversion(chosen)),
        Figure(Label("revenue.payers"), Count(chosen.whole("payers"))),
    ]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(days, answers[str(days)]) for days in _shown(look)]),
        told=told(chosen),
        chart=_chart(look, answers) if has_payers else None,
        is_empty=not has_payers,
    )


def _shown(look: Look) -> Sequence[int]:
    return [*windows(look.days), EVER]


def _row(days: int, answer: Answer) -> list[Value]:
    return [
        _window(days),
        _revenue(answer),
        Count(answer.whole("members")),
        _mean(answer),
        _conversion(answer),
        Count(answer.whole("payers")),
    ]


def _window(days: int) -> Label:
    return Label("revenue.last_days", {"days": days}) if days else Label("revenue.since_beginning")


def _revenue(answer: Answer) -> Money:
    return Money(answer.whole("revenue_minor"), answer.text("currency"))


def _mean(answer: Answer) -> Value:
    mean_minor = answer.number("mean_spend_minor") if answer.whole("payers") else None
    return Missing() if mean_minor is None else Money(mean_minor, answer.text("currency"))


def _conversion(answer: Answer) -> Value:
    return share(answer.number("conversion") if answer.whole("members") else None)


def _chart(look: Look, answers: Mapping[str, Answer]) -> Chart:
    amounts = [_revenue(answers[str(days)]) for days in _shown(look)]
    return Chart(
        kind="bar",
        title=Label("revenue.chart"),
        form="money",
        currency=amounts[0].currency,
        digits=amounts[0].digits,
        categories=[_window(days) for days in _shown(look)],
        series=[Series(Label("revenue.r"), [float(amount.amount) for amount in amounts])],
    )


PANEL: Final = Panel("revenue", OPERATORS, queries, view)
