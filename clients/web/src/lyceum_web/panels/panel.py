"""What a panel is: what it asks the gateway, and how the answers become figures, a table and a chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lyceum_web.gateway.answers import Answer, Window
from lyceum_web.gateway.client import Parameters
from lyceum_web.panels.charts import Chart
from lyceum_web.panels.look import Look
from lyceum_web.words.values import Label, Value


@dataclass(frozen=True, slots=True)
class Query:
    """A GET of the gateway. `{member_id}` in the path is the reader's own; `as_of` is added where the look has one and
    the question is `dated`.

    `own` names the parameter by which creators ask for what is theirs; operators leave it out, and so ask for all.
    """

    path: str
    parameters: Parameters = field(default_factory=dict)
    own: str = ""
    dated: bool = True


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its name, shown large."""

    name: Label
    value: Value


@dataclass(frozen=True, slots=True)
class Table:
    """Columns with stable keys (the header of the CSV) and their names; the first column names the row."""

    columns: Sequence[tuple[str, Label]]
    rows: Sequence[Sequence[Value]]


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says of its figures. `window` and `as_of` are None for figures that have none: they are of now."""

    formula: str
    window: Window | None
    as_of: datetime | None
    applied_at: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class View:
    """What a panel shows. `is_empty`: there is not enough data, which the panel's text `<name>.empty` says plainly."""

    figures: Sequence[Figure]
    table: Table
    told: Told
    chart: Chart | None = None
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. Its name is that of its module, template, texts, anchor and files.

    `queries` gives what to ask by names of its own, and `view` gets the answers under the same names; it raises
    `BadAnswer`. `roles` are those that the panel is for; the gateway has the last word.
    """

    name: str
    roles: frozenset[str]
    queries: Callable[[Look], Mapping[str, Query]]
    view: Callable[[Look, Mapping[str, Answer]], View]


def told(answer: Answer, *, has_window: bool = True, formula: str | None = None) -> Told:
    """What nearly every answer of metrics says of itself."""
    return Told(
        formula=_formula(answer) if formula is None else formula,
        window=answer.window("window") if has_window else None,
        as_of=answer.moment("as_of"),
        applied_at=answer.applied_at("freshness"),
    )


def _formula(answer: Answer) -> str:
    return answer.text("definition" if "definition" in answer.body else "formula")
