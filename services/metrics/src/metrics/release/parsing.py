"""From requests to questions and prices; every refusal names its field."""

from __future__ import annotations

import calendar
import math
import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from eventfold.errors import InvalidInput, NotPermitted
from lyceum.metrics.v1 import release_pb2 as pb
from metrics import parsing
from metrics.domain.windows import DAY, day_of
from metrics.release.domain.benchmark import RATIOS, USUAL, Benchmark
from metrics.release.domain.budget import PLATFORM, UNIT
from metrics.release.domain.loss import Accounting, Loss, nano_of
from metrics.release.domain.retention import Retention
from metrics.release.domain.trend import DIMENSIONS, Trend
from metrics.release.settings import Terms
from servicekit import validate

BOUNDS: Final = {"epsilon": (0.001, 10.0), "rho": (1e-6, 10.0)}
"""What one release may cost."""
OPEN_WINDOWS_DAYS: Final = (7, 28)
OPEN_PERIODS_DAYS: Final = (7, 30)
DEFAULT_WINDOW_DAYS, MAX_WINDOW_DAYS = 28, 366
DEFAULT_PERIOD_DAYS, MAX_PERIOD_DAYS = 30, 90
MAX_PERIODS: Final = 24
MAX_FIGURES: Final = 10
MAX_PERIOD_CHARS: Final = 20
FIRST_YEAR, LAST_YEAR = parsing.AS_OF_YEARS
COHORT: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and when. Who does not answer for a budget (operators do for all, creators for their own) is an open
    caller, and cannot choose what uses it up: neither the loss, nor the day, nor odd windows, each of which would be
    another question to be paid for."""

    now: datetime
    zone: ZoneInfo
    member_id: str
    is_operator: bool

    @property
    def today(self) -> date:
        """The day on which they ask."""
        return day_of(self.now, self.zone)

    def is_open(self, owner: str) -> bool:
        """Whether they do not answer for the budget of `owner`."""
        return not self.is_operator and owner != self.member_id


def benchmark(request: pb.GetPrivateBenchmarkRequest, asker: Asker) -> Benchmark:
    """The question of a benchmark."""
    validate.between(len(request.figures), "figures", 0, MAX_FIGURES)
    figures = {validate.one_of(name, "figures", RATIOS) for name in request.figures}
    is_open = asker.is_open(PLATFORM)
    _owners_choice(is_open, "figures", bool(figures))
    chosen = tuple(sorted(figures or USUAL))
    currency = parsing.currency(request)
    return Benchmark(
        figures=chosen,
        window_days=_window_days(request.window_days, is_open),
        last_day=_last_day(request, asker, is_open),
        zone=asker.zone.key,
        category=validate.text(request.category, "category", min_chars=0, max_chars=parsing.MAX_TAG_CHARS),
        currency=currency if "mean_spend_minor" in chosen else "",
    )


def trend(request: pb.GetPublicTrendRequest, asker: Asker) -> Trend:
    """The question of a trend."""
    is_open = asker.is_open(PLATFORM)
    return Trend(
        dimension="tag" if validate.one_of(request.dimension, "dimension", DIMENSIONS) == "tag" else "category",
        window_days=_window_days(request.window_days, is_open),
        last_day=_last_day(request, asker, is_open),
        zone=asker.zone.key,
    )


def retention(request: pb.GetReleasedRetentionRequest, asker: Asker) -> Retention:
    """The question of a retention, with the periods that are over for the whole cohort. Raises `NotPermitted` for the
    cohort of another creator."""
    creator_id = parsing.creator_id(request)
    if creator_id and asker.is_open(creator_id):
        raise NotPermitted("creators see their own cohorts and the platform's", field="creator_id")
    is_open = asker.is_open(creator_id or PLATFORM)
    first_day, last_day = _cohort(request.cohort)
    period_days = request.period_days or DEFAULT_PERIOD_DAYS
    if is_open:
        _one_of(period_days, "period_days", OPEN_PERIODS_DAYS)
    validate.between(period_days, "period_days", 1, MAX_PERIOD_DAYS)
    wanted = validate.between(request.periods, "periods", 0, MAX_PERIODS) or MAX_PERIODS
    _owners_choice(is_open, "periods", request.periods != 0)
    over = ((_last_day(request, asker, is_open) - last_day).days + 1) // period_days
    if over < 1:
        raise InvalidInput("no period is over for all of it yet", field="cohort")
    return Retention(first_day, last_day, period_days, min(wanted, over), asker.zone.key, creator_id)


def _cohort(text: str) -> tuple[date, date]:
    found = COHORT.fullmatch(text)
    year, month = map(int, found.groups()) if found else (0, 0)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise InvalidInput("must be a month, as 2026-03", field="cohort")
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def loss(request: Any, accounting: Accounting, terms: Terms, is_open: bool) -> Loss:
    """What the release may cost: the given amount of the unit that adds up in this period, else the usual one."""
    unit = UNIT[accounting]
    given = {name: getattr(request, name) for name in BOUNDS if request.HasField(name)}
    for name, amount in given.items():
        low, high = BOUNDS[name]
        if not (math.isfinite(amount) and low <= amount <= high):
            raise InvalidInput(f"must be from {low:g} to {high:g}", field=name)
        if name != unit:
            raise InvalidInput(f"this period is accounted in {unit}: give that instead", field=name)
        _owners_choice(is_open, name, True)
    return Loss(nano_of(given[unit])) if unit in given else terms.cost[accounting]


def with_selection(cost: Loss, terms: Terms) -> Loss:
    """The same with the delta of a selection."""
    return replace(cost, delta_femto=terms.selection_delta_femto)


def period(text: str) -> str:
    """The name of a period; empty if none was given."""
    return validate.text(text, "period", min_chars=0, max_chars=MAX_PERIOD_CHARS)


def _window_days(value: int, is_open: bool) -> int:
    days = value or DEFAULT_WINDOW_DAYS
    if is_open:
        return _one_of(days, "window_days", OPEN_WINDOWS_DAYS)
    return validate.between(days, "window_days", 1, MAX_WINDOW_DAYS)


def _one_of(value: int, field: str, allowed: tuple[int, ...]) -> int:
    if value not in allowed:
        raise InvalidInput(f"must be one of: {', '.join(map(str, allowed))}", field=field)
    return value


def _last_day(request: Any, asker: Asker, is_open: bool) -> date:
    """A day that is over: its figures change with late events only. For open callers that of the last full week."""
    yesterday = asker.today - DAY
    if not request.HasField("as_of"):
        return yesterday - timedelta(days=(yesterday.weekday() + 1) % 7) if is_open else yesterday
    as_of = parsing.as_of(request)
    _owners_choice(is_open, "as_of", True)
    last_day = day_of(as_of, asker.zone)
    if last_day > yesterday:
        raise InvalidInput("must be a moment of a day that is over", field="as_of")
    return last_day


def _owners_choice(is_open: bool, field: str, is_given: bool) -> None:
    if is_given and is_open:
        raise NotPermitted("only those who answer for the budget choose this", field=field)
