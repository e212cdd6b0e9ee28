"""Descriptions of charts, as the one script of the pages (`static/web.js`) draws them.

A description says what is shown and never how: colours, fonts, axes and the library's options are the script's.
All numbers of a chart stand in the table of its panel, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lyceum_web.words.tongue import Tongue
from lyceum_web.words.values import Label, Value

Form = Literal["count", "rate", "share", "money"]
Point = float | None
"""None leaves a gap."""


@dataclass(frozen=True, slots=True)
class Series:
    """Values in the order of the chart's categories. With `low` and `high`, each has an interval around it."""

    name: Value
    values: Sequence[Point]
    low: Sequence[Point] = ()
    high: Sequence[Point] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """`line` and `bar` have series over categories; `gauge` one share; `heat` rows (its series) by categories."""

    kind: Literal["line", "bar", "gauge", "heat"]
    title: Value
    form: Form
    series: Sequence[Series]
    categories: Sequence[Value] = field(default_factory=tuple)
    category_name: Label | None = None
    currency: str = ""
    digits: int = 2
    """Digits behind the point of the currency."""


def described(chart: Chart, tongue: Tongue) -> dict[str, Any]:
    """The description as JSON has it, with texts in one language."""
    return {
        "kind": chart.kind,
        "title": tongue.shown(chart.title),
        "form": chart.form,
        "currency": chart.currency,
        "digits": chart.digits,
        "categories": [tongue.shown(one) for one in chart.categories],
        "categoryName": tongue.shown(chart.category_name) if chart.category_name else "",
        "series": [
            {"name": tongue.shown(one.name), "values": one.values, "low": one.low, "high": one.high}
            for one in chart.series
        ],
    }
