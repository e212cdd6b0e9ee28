"""Which past days got events that were recorded later, and so changed after they had been shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import OPERATORS
from lyceum_web.words.values import Count, Day, Label, Raw, Value

REASONS: Final = ("import", "late")
COLUMNS: Final = (
    ("day", Label("restated.day")),
    ("seen_on", Label("restated.seen_on")),
    ("reason", Label("restated.reason")),
    ("interactions", Label("col.interactions")),
    ("purchases", Label("restated.purchases")),
)


def queries(look: Look) -> Mapping[str, Query]:
    """What was recorded in the chosen window."""
    return {"restated": Query("/v1/metrics/restatements", {"window_days": look.days})}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """The newest first; an answer has a bounded number of rows."""
    answer = answers["restated"]
    found = answer.each("restatements")
    figures = [Figure(Label("restated.days"), Count(len({one.text("day") for one in found})))]
    return View(
        figures=figures,
        table=Table(COLUMNS, [_row(one) for one in found]),
        told=told(answer),
        is_empty=not found,
    )


def _row(one: Answer) -> list[Value]:
    reason = one.text("reason")
    return [
        Day(one.day("day")),
        Day(one.day("seen_on")),
        Label(f"restated.{reason}") if reason in REASONS else Raw(reason),
        Count(one.whole("interactions")),
        Count(one.whole("purchases")),
    ]


PANEL: Final = Panel("restated", OPERATORS, queries, view)
