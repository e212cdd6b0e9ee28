"""A member's own retention score, and the chance of activity beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, Told, View
from lyceum_web.panels.roles import MEMBERS
from lyceum_web.words.values import Count, Label, rate, share

COLUMNS: Final = (("figure", Label("col.figure")), ("value", Label("col.value")))


def queries(look: Look) -> Mapping[str, Query]:
    """Its windows are fixed: 28 days and 7 days."""
    return {"retention": Query("/v1/metrics/members/{member_id}/retention")}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """Without anybody in the same situation the chance is a guess of one half: not shown."""
    answer = answers["retention"]
    support = answer.whole("probability_support")
    chance = answer.number("probability") if support else None
    figures = [
        Figure(Label("own_retention.score"), rate(answer.number("score"))),
        Figure(Label("own_retention.probability"), share(chance)),
        Figure(Label("own_retention.history"), rate(answer.number("history"))),
        Figure(Label("own_retention.current"), rate(answer.number("current"))),
        Figure(Label("own_retention.support"), Count(support)),
    ]
    return View(
        figures=figures,
        table=Table(COLUMNS, [[figure.name, figure.value] for figure in figures]),
        told=_told(answer),
        chart=None if chance is None else _chart(chance),
        is_empty=chance is None,
    )


def _told(answer: Answer) -> Told:
    formula = f"{answer.text('formula')}; {answer.text('probability_formula')}"
    return Told(formula, answer.window("current_window"), answer.moment("as_of"), answer.applied_at("freshness"))


def _chart(chance: float) -> Chart:
    title = Label("own_retention.chart")
    return Chart(kind="gauge", title=title, form="share", series=[Series(title, [chance])])


PANEL: Final = Panel("own_retention", MEMBERS, queries, view)
