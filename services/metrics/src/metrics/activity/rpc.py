"""Activity over gRPC. Each answer is computed from one snapshot, and states its definition, window and freshness."""

from __future__ import annotations

from typing import Any, Final

from lyceum.metrics.v1 import activity_pb2, metrics_pb2
from metrics import parsing
from metrics.activity import domain, queries
from metrics.answering import Answering
from metrics.domain import periods
from metrics.domain.kinds import Weights, weighted
from metrics.domain.periods import Periods
from metrics.domain.windows import DAY, day_of, ending
from metrics.members import member_interactions, members, require_member
from metrics.reading import Look, Reading
from metrics.scope import Scope
from metrics.shaping import day_text, fresh, window_message
from servicekit.policy import OPERATORS, Policies, Policy
from servicekit.times import stamp

DEFAULT_WINDOW_DAYS: Final = 30
MAX_PERIODS, DEFAULT_PERIODS = 400, 30
MAX_ROWS, DEFAULT_ROWS = 200, 20
MAX_RESTATEMENTS, DEFAULT_RESTATEMENTS = 500, 100

MEMBERS_READ: Final = ("activity", "registry")
OVERVIEW_READS: Final = ("activity", "orders", "registry")

POLICIES: Final[Policies] = {
    "GetActivity": Policy("query", OPERATORS, reads=MEMBERS_READ),
    "GetMemberActivity": Policy("query", OPERATORS, own="member_id", reads=MEMBERS_READ),
    "GetOverview": Policy("query", OPERATORS, reads=OVERVIEW_READS),
    "GetActivityTrend": Policy("query", OPERATORS, own="creator_id", own_form="{}", reads=MEMBERS_READ),
    "GetActivityBreakdown": Policy("query", OPERATORS, own="creator_id", own_form="{}", reads=MEMBERS_READ),
    "ListRestatements": Policy("query", OPERATORS, reads=("activity",)),
}


class ActivityRpcs:
    """How much members do, and how many they are."""

    def __init__(self, look: Look, weights: Weights) -> None:
        self._look = look
        self._answering = Answering(look)
        self._weights = weights

    async def GetActivity(
        self, request: metrics_pb2.GetActivityRequest, context: Any
    ) -> metrics_pb2.GetActivityResponse:
        """A(t) of all members."""
        as_of, days = parsing.as_of(request), _window_days(request)

        async def compute(reading: Reading) -> metrics_pb2.GetActivityResponse:
            window = ending(day_of(as_of, reading.zone), days, reading.zone)
            by_kind = await queries.interactions(reading, window.first_day, window.last_day)
            found = domain.Activity(by_kind, await members(reading, window.end), window, self._weights)
            return metrics_pb2.GetActivityResponse(
                formula=domain.FORMULA_ACTIVITY,
                activity=found.activity,
                activity_per_day=found.per_day,
                weighted_activity=found.weighted,
                interactions=found.interactions,
                members=found.members,
                weights=self._told_weights,
                window=window_message(window),
            )

        return await self._answering.answer(request, as_of, MEMBERS_READ, compute)

    async def GetMemberActivity(
        self, request: metrics_pb2.GetMemberActivityRequest, context: Any
    ) -> metrics_pb2.GetMemberActivityResponse:
        """One member's rate. Raises `NotFound` for an unknown member."""
        as_of, member_id, days = parsing.as_of(request), parsing.member_id(request), _window_days(request)
        async with self._look() as reading:
            await require_member(reading, member_id)
            window = ending(day_of(as_of, reading.zone), days, reading.zone)
            found = domain.MemberActivity(await member_interactions(reading, member_id, window), window)
            freshness = await fresh(reading, *MEMBERS_READ)
        return metrics_pb2.GetMemberActivityResponse(
            formula=domain.FORMULA_MEMBER_ACTIVITY,
            rate_per_day=found.rate_per_day,
            interactions=found.interactions,
            window=window_message(window),
            as_of=stamp(as_of),
            freshness=freshness,
        )

    async def GetOverview(
        self, request: metrics_pb2.GetOverviewRequest, context: Any
    ) -> metrics_pb2.GetOverviewResponse:
        """Counts up to and including the day of `as_of`."""
        as_of = parsing.as_of(request)

        async def compute(reading: Reading) -> metrics_pb2.GetOverviewResponse:
            window = ending(day_of(as_of, reading.zone), 1, reading.zone)
            found = await queries.counted(reading, window.end)
            by_kind = await queries.interactions(reading, None, window.last_day)
            return metrics_pb2.GetOverviewResponse(
                members=await members(reading, window.end),
                contents=found.contents,
                interactions={str(kind): number for kind, number in by_kind.items()},
                orders_placed=found.orders_placed,
                orders_paid=found.orders_paid,
            )

        return await self._answering.answer(request, as_of, OVERVIEW_READS, compute)

    async def GetActivityTrend(
        self, request: activity_pb2.GetActivityTrendRequest, context: Any
    ) -> activity_pb2.GetActivityTrendResponse:
        """Active members period by period."""
        as_of, scope, period = parsing.as_of(request), parsing.scope(request), parsing.period(request, "day")
        number = parsing.count(request, "periods", most=MAX_PERIODS, default=DEFAULT_PERIODS)

        async def compute(reading: Reading) -> activity_pb2.GetActivityTrendResponse:
            asked = periods.ending(day_of(as_of, reading.zone), number, period, reading.zone)
            return activity_pb2.GetActivityTrendResponse(
                definition=domain.FORMULA_TREND,
                periods=await self._periods(reading, asked, scope),
                period=period,
                weights=self._told_weights,
                window=window_message(asked.window),
            )

        return await self._answering.answer(request, as_of, MEMBERS_READ, compute)

    async def _periods(self, reading: Reading, asked: Periods, scope: Scope) -> list[activity_pb2.ActivityPeriod]:
        spells = await queries.spells(reading, asked, scope)
        found = [self._message(asked, spells, number) for number in range(asked.first, asked.last + 1)]
        if asked.period == "day":
            await _add_rolling(found, reading, asked, scope)
        return found

    def _message(self, asked: Periods, spells: Any, number: int) -> activity_pb2.ActivityPeriod:
        one, before = spells.get(number, domain.Spell()), spells.get(number - 1, domain.Spell())
        return activity_pb2.ActivityPeriod(
            first_day=day_text(periods.first_day(number, asked.period)),
            last_day=day_text(asked.last_day_of(number)),
            closed=number <= asked.closed,
            active=one.active,
            new_members=one.new,
            returning=one.returning,
            resurrecting=one.resurrecting,
            dormant=before.active - one.returning,
            interactions=one.interactions,
            frequency=one.frequency,
            weighted=one.weighted(self._weights),
        )

    async def GetActivityBreakdown(
        self, request: activity_pb2.GetActivityBreakdownRequest, context: Any
    ) -> activity_pb2.GetActivityBreakdownResponse:
        """The most active creators, contents or tags."""
        as_of, scope, days = parsing.as_of(request), parsing.scope(request), _window_days(request)
        by = parsing.one_of(request, "by", queries.BYS, "content")
        limit = parsing.count(request, "limit", most=MAX_ROWS, default=DEFAULT_ROWS)

        async def compute(reading: Reading) -> activity_pb2.GetActivityBreakdownResponse:
            window = ending(day_of(as_of, reading.zone), days, reading.zone)
            found = await queries.shares(reading, window, scope, by, limit)
            return activity_pb2.GetActivityBreakdownResponse(
                definition=domain.FORMULA_BREAKDOWN,
                shares=[self._share(one) for one in found],
                window=window_message(window),
            )

        return await self._answering.answer(request, as_of, MEMBERS_READ, compute)

    def _share(self, one: queries.Share) -> activity_pb2.ActivityShare:
        return activity_pb2.ActivityShare(
            key=one.key,
            title=one.title,
            active=one.active,
            interactions=sum(one.by_kind.values()),
            weighted=weighted(one.by_kind, self._weights),
        )

    async def ListRestatements(
        self, request: activity_pb2.ListRestatementsRequest, context: Any
    ) -> activity_pb2.ListRestatementsResponse:
        """Which past days changed after they had been shown."""
        as_of, days = parsing.as_of(request), _window_days(request)
        limit = parsing.count(request, "limit", most=MAX_RESTATEMENTS, default=DEFAULT_RESTATEMENTS)
        async with self._look() as reading:
            window = ending(day_of(as_of, reading.zone), days, reading.zone)
            found = await queries.restated(reading, window, limit)
            freshness = await fresh(reading, "activity")
        return activity_pb2.ListRestatementsResponse(
            definition=domain.FORMULA_RESTATEMENTS,
            restatements=[_restatement(one) for one in found],
            window=window_message(window),
            as_of=stamp(as_of),
            freshness=freshness,
        )

    @property
    def _told_weights(self) -> dict[str, float]:
        return {str(kind): weight for kind, weight in self._weights.items()}


def _window_days(request: Any) -> int:
    return parsing.count(request, "window_days", most=parsing.MAX_WINDOW_DAYS, default=DEFAULT_WINDOW_DAYS)


async def _add_rolling(
    found: list[activity_pb2.ActivityPeriod], reading: Reading, asked: Periods, scope: Scope
) -> None:
    window = asked.window
    days = [window.first_day + ahead * DAY for ahead in range(window.days)]
    lengths = (domain.WEEKLY_DAYS, domain.MONTHLY_DAYS)
    spans = await queries.spans(reading, window, scope, lengths)
    weekly, monthly = (domain.covered(spans[length], days) for length in lengths)
    for one, last_7, last_30 in zip(found, weekly, monthly, strict=True):
        one.weekly_active, one.monthly_active = last_7, last_30
        one.stickiness = domain.stickiness(one.active, last_30)


def _restatement(one: queries.Restated) -> activity_pb2.Restatement:
    return activity_pb2.Restatement(
        day=day_text(one.day),
        seen_on=day_text(one.seen_on),
        reason=one.reason,
        interactions=one.interactions,
        purchases=one.purchases,
        first_recorded_at=stamp(one.first_recorded_at),
        last_recorded_at=stamp(one.last_recorded_at),
    )
