"""From requests about retention to checked questions; every refusal names its field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from eventfold.errors import InvalidInput
from lyceum.metrics.v1 import metrics_pb2, retention_pb2
from metrics import parsing
from metrics.domain import periods
from metrics.retention.cohort_queries import HOURS_OF, Asked
from metrics.retention.domain.cohorts import CLOCKS, MEASURES, STARTS, Bracket
from servicekit import validate

MAX_T_DAYS, MAX_POINTS = 3_650, 100
MAX_WEIGHT: Final = 100.0
MAX_COHORTS, DEFAULT_COHORTS = 120, 12
MAX_INTERVALS, DEFAULT_INTERVALS = 120, 12
MAX_BRACKETS: Final = 20
MAX_INTERVAL: Final = 400
MIN_FIT, MAX_FIT, DEFAULT_FIT = 4, 60, 8
MAX_AHEAD, DEFAULT_AHEAD = 60, 8
PANEL_COHORTS: Final = 200
"""Cohorts back from now whose members may be in the panel of a forecast."""


def t_days(request: metrics_pb2.GetRetentionRequest) -> list[int]:
    """The t that are asked for, in days."""
    validate.between(len(request.t_days), "t_days", 0, MAX_POINTS)
    return [validate.between(value, "t_days", 1, MAX_T_DAYS) for value in request.t_days]


def weight(request: metrics_pb2.GetMemberRetentionRequest, field: str, default: float) -> float:
    """A weight of the score; it may be 0."""
    if not request.HasField(field):  # type: ignore[arg-type]
        return default
    value: float = getattr(request, field)
    if not (math.isfinite(value) and 0 <= value <= MAX_WEIGHT):
        raise InvalidInput(f"must be from 0 to {MAX_WEIGHT:.0f}", field=field)
    return value


def cohorts(request: retention_pb2.GetCohortsRequest, last_day: date, zone: ZoneInfo) -> Asked:
    """The cohorts up to the period of `last_day`."""
    measure = parsing.one_of(request, "measure", MEASURES, "bounded")
    clock, period = parsing.one_of(request, "clock", CLOCKS, "calendar"), parsing.period(request, "week")
    if clock == "member" and period not in HOURS_OF:
        raise InvalidInput("months have no length in hours: with clock `member`, ask for day or week", field="period")
    number = parsing.count(request, "cohorts", most=MAX_COHORTS, default=DEFAULT_COHORTS)
    return Asked(
        periods=periods.ending(last_day, number, period, zone),
        start=parsing.one_of(request, "start", STARTS, "registered"),
        clock=clock,
        measure=measure,
        brackets=_brackets(request) if measure == "bracket" else _intervals(request),
        scope=parsing.scope(request),
        currency=parsing.currency(request),
    )


def _intervals(request: retention_pb2.GetCohortsRequest) -> list[Bracket]:
    for field in ("bracket_first", "bracket_last"):
        validate.between(len(getattr(request, field)), field, 0, 0)
    count = parsing.count(request, "intervals", most=MAX_INTERVALS, default=DEFAULT_INTERVALS)
    return [Bracket(at, at) for at in range(count)]


def _brackets(request: retention_pb2.GetCohortsRequest) -> list[Bracket]:
    validate.between(request.intervals, "intervals", 0, 0)
    validate.between(len(request.bracket_first), "bracket_first", 1, MAX_BRACKETS)
    validate.between(len(request.bracket_last), "bracket_last", len(request.bracket_first), len(request.bracket_first))
    found = [Bracket(*one) for one in zip(request.bracket_first, request.bracket_last, strict=True)]
    _check(found)
    return found


def _check(brackets: Sequence[Bracket]) -> None:
    """Ascending, and no interval in two of them."""
    least = 0
    for bracket in brackets:
        validate.between(bracket.first, "bracket_first", least, MAX_INTERVAL)
        validate.between(bracket.last, "bracket_last", bracket.first, MAX_INTERVAL)
        least = bracket.last + 1


def panel(request: retention_pb2.GetRetentionForecastRequest, last_day: date, zone: ZoneInfo) -> Asked:
    """The members of whom the panel of a forecast is taken."""
    return Asked(
        periods=periods.ending(last_day, PANEL_COHORTS, parsing.period(request, "week"), zone),
        start=parsing.one_of(request, "start", ("first_active", "registered"), "first_active"),
        clock="calendar",
        measure="unbounded",
        brackets=[],
        scope=parsing.scope(request),
        currency=parsing.DEFAULT_CURRENCY,
    )


def fit_periods(request: Any) -> int:
    """Intervals that are observed."""
    return parsing.count(request, "fit_periods", least=MIN_FIT, most=MAX_FIT, default=DEFAULT_FIT)


def ahead_periods(request: Any) -> int:
    """Intervals that are projected."""
    return parsing.count(request, "ahead_periods", most=MAX_AHEAD, default=DEFAULT_AHEAD)
