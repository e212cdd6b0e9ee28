"""A report before it is a page: sections with figures, a chart and a table. Both writers write the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Series:
    """One line or set of bars; None where there is no figure."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn over `labels`. `alternative` says it in words."""

    kind: Literal["lines", "bars", "heat"]
    labels: Sequence[str]
    series: Sequence[Series]
    alternative: str


@dataclass(frozen=True, slots=True)
class Table:
    """Texts, ready to be shown. Columns but the first are numbers."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """One theme. `definition` says how its figures are computed."""

    title: str
    definition: str
    facts: Sequence[tuple[str, str]] = ()
    chart: Chart | None = None
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report. `language` is `zh` or `en`; `about` are lines below the title."""

    title: str
    language: str
    about: Sequence[str]
    sections: Sequence[Section] = field(default_factory=list)
