"""A(t): interactions per member, in the chosen window and in those beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import OPERATORS
from lyceum_web.panels.windows import windows
from lyceum_web.words.values import Count, Label, Value, rate

COLUMNS: Final = (
    ("window_days", Label("col.window_days")),
    ("interactions", Label("col.interactions")),
    ("members", Label("activity.members")),
    ("per_member", Label("activity.per_member")),
    ("per_member_per_day", Label("activity.per_day")),
    ("weighted_per_member", Label("activity.weighted")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """One for each window."""
    return {str(days): Query("/v1/metrics/activity", {"window_days": days}) for days in windows(look.days)}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """Without members there is nobody to divide by: nothing is made up then."""
    chosen = answers[str(look.days)]
    has_members = chosen.whole("members") > 0
    figures = [
        Figure(Label("activity.per_day"), _per_member(chosen, "activity_per_day")),
        Figure(Label("activity.per_member"), _per_member(chosen, "activity")),
        Figure(Label("activity.weighted"), _per_member(chosen, "weighted_activity")),
        Figure(Label("col.interactions"), Count(chosen.whole("interactions"))),
        Figure(Label("activity.members"), Count(chosen.whole("members"))),
    ]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(days, answers[str(days)]) for days in windows(look.days)]),
        told=told(chosen),
        chart=_chart(look, answers) if has_members else None,
        is_empty=not has_members,
    )


def _row(days: int, answer: Answer) -> list[Value]:
    return [
        Count(days),
        Count(answer.whole("interactions")),
        Count(answer.whole("members")),
        _per_member(answer, "activity"),
        _per_member(answer, "activity_per_day"),
        _per_member(answer, "weighted_activity"),
    ]


def _per_member(answer: Answer, name: str) -> Value:
    return rate(answer.number(name) if answer.whole("members") > 0 else None)


def _chart(look: Look, answers: Mapping[str, Answer]) -> Chart:
    shown = windows(look.days)
    return Chart(
        kind="bar",
        title=Label("activity.chart"),
        form="rate",
        categories=[Count(days) for days in shown],
        category_name=Label("col.window_days"),
        series=[Series(Label("activity.per_day"), [answers[str(days)].number("activity_per_day") for days in shown])],
    )


PANEL: Final = Panel("activity", OPERATORS, queries, view)
