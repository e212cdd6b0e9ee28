"""How much there is of everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lyceum_web.gateway.answers import Answer
from lyceum_web.panels.charts import Chart, Series
from lyceum_web.panels.look import Look
from lyceum_web.panels.panel import Figure, Panel, Query, Table, View, told
from lyceum_web.panels.roles import OPERATORS
from lyceum_web.words.texts import TEXTS
from lyceum_web.words.values import Count, Label, Missing, Raw, Share, Value

KINDS: Final = ("view", "like", "comment", "share", "rate", "complete")
COLUMNS: Final = (("figure", Label("col.figure")), ("value", Label("col.value")), ("share", Label("col.share")))


def queries(look: Look) -> Mapping[str, Query]:
    """One answer has it all."""
    return {"overview": Query("/v1/metrics/overview")}


def view(look: Look, answers: Mapping[str, Answer]) -> View:
    """Counts of everything; of interactions also by kind."""
    answer = answers["overview"]
    by_kind = _known_first(answer.wholes("interactions"))
    counts = {name: answer.whole(name) for name in ("members", "contents", "orders_placed", "orders_paid")}
    total = sum(by_kind.values())
    rows: list[list[Value]] = [[Label(f"overview.{name}"), Count(count), Raw("")] for name, count in counts.items()]
    rows.append([Label("overview.interactions"), Count(total), Raw("")])
    rows += [[kind_name(kind), Count(count), _share(count, total)] for kind, count in by_kind.items()]
    figures = [Figure(Label(f"overview.{name}"), Count(count)) for name, count in counts.items()]
    figures.insert(2, Figure(Label("overview.interactions"), Count(total)))
    return View(
        figures=figures,
        table=Table(COLUMNS, rows),
        told=told(answer, has_window=False, formula=""),
        chart=_chart(by_kind) if total else None,
        is_empty=counts["members"] == 0,
    )


def kind_name(kind: str) -> Label | Raw:
    """The name of a kind of interaction; a kind that is newer than these pages keeps its own."""
    key = f"kind.{kind}"
    return Label(key) if key in TEXTS else Raw(kind)


def _known_first(by_kind: Mapping[str, int]) -> dict[str, int]:
    known = {kind: by_kind[kind] for kind in KINDS if kind in by_kind}
    return known | {kind: count for kind, count in by_kind.items() if kind not in known}


def _share(count: int, total: int) -> Value:
    return Share(count / total) if total else Missing()


def _chart(by_kind: Mapping[str, int]) -> Chart:
    return Chart(
        kind="bar",
        title=Label("overview.chart"),
        form="count",
        categories=[kind_name(kind) for kind in by_kind],
        series=[Series(Label("overview.chart"), list(by_kind.values()))],
    )


PANEL: Final = Panel("overview", OPERATORS, queries, view)
