"""Asks the service's own questions about a month, and makes sections of the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from lyceum.metrics.v1 import activity_pb2, conversion_pb2, quality_pb2, retention_pb2, revenue_pb2
from metrics.report.document import Chart, Section, Series, Table
from metrics.report.texts import Language, text

COHORTS: Final = 12
ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class Month:
    """What a report is of: the days of a month, a creator or (empty) everybody, and a currency with its decimals."""

    first_day: date
    last_day: date
    creator_id: str
    currency: str
    decimals: int
    language: Language

    @property
    def days(self) -> int:
        """Days of the month that are looked at."""
        return (self.last_day - self.first_day).days + 1

    def say(self, key: str, **values: object) -> str:
        """A text in the report's language."""
        return text(key, self.language, **values)

    def money(self, minor: float) -> str:
        """An amount of minor units, as a number of the currency."""
        return f"{Decimal(round(minor)).scaleb(-self.decimals):,.{self.decimals}f}"


Ask = Callable[[Any], Any]
"""Answers a request, as of the month's last day."""


async def sections(month: Month, ask: Ask) -> list[Section]:
    """All sections, in order."""
    return [await make(month, ask) for make in (activity, revenue, cohorts, survival, funnel, attribution, quality)]


async def activity(month: Month, ask: Ask) -> Section:
    """Active members by day."""
    found = await ask(activity_pb2.GetActivityTrendRequest(creator_id=month.creator_id, periods=month.days))
    days = found.periods
    names = ("active", "new", "returning", "resurrecting", "dormant", "interactions", "stickiness")
    rows = [
        [
            one.first_day,
            *map(_count, (one.active, one.new_members, one.returning, one.resurrecting, one.dormant, one.interactions)),
            _share(one.stickiness),
        ]
        for one in days
    ]
    mean = sum(one.active for one in days) / len(days)
    series = [
        Series(month.say("active"), [float(one.active) for one in days]),
        Series(month.say("returning"), [float(one.returning) for one in days]),
    ]
    return Section(
        month.say("activity"),
        found.definition,
        [(month.say("mean_daily"), f"{mean:,.1f}"), (month.say("monthly"), _count(days[-1].monthly_active))],
        Chart("lines", [one.first_day[-2:] for one in days], series, _told(month.say("activity"), series)),
        Table(month.say("activity"), [month.say("day"), *map(month.say, names)], rows),
    )


async def revenue(month: Month, ask: Ask) -> Section:
    """What was paid by day."""
    request = revenue_pb2.GetRevenueTrendRequest(
        creator_id=month.creator_id, period="day", periods=month.days, currency=month.currency
    )
    found = await ask(request)
    amounts = ("gross", "discount", "charged", "commission", "net")
    rows = [
        [one.first_day, _count(one.orders), _count(one.payers), *(_amounts(month, one))]
        for one in found.periods
        if one.orders
    ]
    series = [
        Series(month.say("charged"), [_units(month, one.charged_minor) for one in found.periods]),
        Series(month.say("net"), [_units(month, one.net_minor) for one in found.periods]),
    ]
    facts = [(month.say("orders"), _count(found.total.orders)), (month.say("payers"), _count(found.total.payers))]
    facts += [
        (f"{month.say(name)} ({month.currency})", value)
        for name, value in zip(amounts, _amounts(month, found.total), strict=True)
    ]
    labels = [one.first_day[-2:] for one in found.periods]
    head = [month.say("day"), month.say("orders"), month.say("payers"), *map(month.say, amounts)]
    chart = Chart("bars", labels, series, _told(month.say("revenue"), series)) if rows else None
    table = Table(f"{month.say('revenue')} ({month.currency})", head, rows) if rows else None
    return Section(month.say("revenue"), found.definition, facts, chart, table)


def _amounts(month: Month, one: Any) -> list[str]:
    fields = (one.gross_minor, one.discount_minor, one.charged_minor, one.commission_minor, one.net_minor)
    return [month.money(value) for value in fields]


async def cohorts(month: Month, ask: Ask) -> Section:
    """Weekly cohorts by first activity."""
    request = retention_pb2.GetCohortsRequest(
        creator_id=month.creator_id, start="first_active", cohorts=COHORTS, intervals=COHORTS, currency=month.currency
    )
    found = await ask(request)
    there = [one for one in found.cohorts if one.members]
    if not there:
        return _nothing(month, "retention", found.definition)
    labels = [month.say("week", n=n) for n in range(COHORTS)]
    series = [Series(one.first_day[5:], _rates(one.cells)) for one in there]
    rows = [[one.first_day, _count(one.members), *map(_share_or_none, _rates(one.cells))] for one in there]
    return Section(
        month.say("retention"),
        found.definition,
        chart=Chart("heat", [str(n) for n in range(COHORTS)], series, _told(month.say("retention"), series)),
        table=Table(month.say("retention"), [month.say("cohort"), month.say("members"), *labels], rows),
    )


def _rates(cells: Sequence[Any]) -> list[float | None]:
    known = {cell.first_interval: cell.rate for cell in cells}
    return [known.get(n) for n in range(COHORTS)]


async def survival(month: Month, ask: Ask) -> Section:
    """Survival as observed and projected."""
    found = await ask(retention_pb2.GetRetentionForecastRequest(creator_id=month.creator_id))
    if not found.models:
        return _nothing(month, "survival", found.definition)
    length = len(found.models[0].shares)
    observed: list[float | None] = [*found.observed, *([None] * (length - len(found.observed)))]
    series = [Series(month.say("observed"), observed)]
    series += [Series(one.model, [share.share for share in one.shares]) for one in found.models]
    rows = [[str(at), *(_share_or_none(one.values[at]) for one in series)] for at in range(length)]
    return Section(
        month.say("survival"),
        found.definition,
        [(month.say("panel"), _count(found.members)), (month.say("chosen"), found.chosen or "-")],
        Chart("lines", [str(at) for at in range(length)], series, _told(month.say("survival"), series)),
        Table(month.say("survival"), [month.say("interval"), *(one.name for one in series)], rows),
    )


async def funnel(month: Month, ask: Ask) -> Section:
    """From view to completion."""
    found = await ask(conversion_pb2.GetFunnelRequest(creator_id=month.creator_id, window_days=month.days))
    rows = [
        [month.say(one.step), _count(one.pairs), _count(one.members), _share(one.from_first)] for one in found.steps
    ]
    series = [Series(month.say("pairs"), [float(one.pairs) for one in found.steps])]
    labels = [str(at + 1) for at in range(len(rows))]
    head = [month.say(name) for name in ("step", "pairs", "members", "share")]
    chart = Chart("bars", labels, series, _told(month.say("funnel"), series))
    return Section(month.say("funnel"), found.definition, (), chart, Table(month.say("funnel"), head, rows))


async def attribution(month: Month, ask: Ask) -> Section:
    """What led to views and orders."""
    request = conversion_pb2.GetAttributionRequest(
        creator_id=month.creator_id, window_days=month.days, currency=month.currency
    )
    found = await ask(request)
    if not found.slots:
        return _nothing(month, "attribution", found.definition)
    rows = [
        [
            f"{one.slot} {one.method}".strip() or month.say("no_slot"),
            *map(_count, (one.shown, one.opened, one.paid)),
            month.money(one.charged_minor),
        ]
        for one in found.slots
    ]
    head = [month.say(name) for name in ("slot", "shown", "opened", "paid", "charged")]
    return Section(
        month.say("attribution"),
        found.definition,
        table=Table(f"{month.say('attribution')} ({month.currency})", head, rows),
    )


async def quality(month: Month, ask: Ask) -> Section:
    """The contents with the best ratings."""
    found = await ask(quality_pb2.GetContentQualityRequest(creator_id=month.creator_id, limit=ROWS))
    if not found.contents:
        return _nothing(month, "quality", found.definition)
    rows = [
        [
            one.title or one.content_id,
            _count(one.viewers),
            _share(one.completion),
            _count(one.ratings),
            f"{one.bayesian_rating:.2f}",
        ]
        for one in found.contents
    ]
    head = [month.say(name) for name in ("content", "viewers", "completion", "ratings", "rating")]
    return Section(month.say("quality"), found.definition, table=Table(month.say("quality"), head, rows))


def _nothing(month: Month, theme: str, definition: str) -> Section:
    return Section(month.say(theme), definition, [(month.say(theme), month.say("nothing"))])


def _units(month: Month, minor: int) -> float:
    return float(Decimal(minor).scaleb(-month.decimals))


def _count(value: int) -> str:
    return f"{value:,}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _share_or_none(value: float | None) -> str:
    return "" if value is None else _share(value)


def _told(title: str, series: Sequence[Series]) -> str:
    """A chart in words: of each series the first, the highest and the last figure."""
    said = []
    for one in series:
        values = [value for value in one.values if value is not None]
        if values:
            said.append(f"{one.name} {values[0]:,.4g}, max {max(values):,.4g}, {values[-1]:,.4g}")
    return f"{title}: {'; '.join(said)}"
