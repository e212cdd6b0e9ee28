"""Figures over rows in memory: a plain implementation of the definitions, for tests and for checking a database by
hand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from metrics.application.figures import Orders, Payments, Source
from metrics.domain.calibration import MemberWeeks
from metrics.domain.kinds import KINDS, Kind
from metrics.domain.retention import DAYS_PER_WEEK, Survival, survival
from metrics.domain.windows import Window, day_of
from metrics.projections.activity import DayRow
from metrics.projections.orders import OrderRow
from metrics.projections.registry import COMMUNITY_ROLES, ContentRow, MemberRow


class MemoryFigures:
    """`Figures` over the rows of the projections' tables."""

    def __init__(
        self,
        days: Sequence[DayRow],
        members: Sequence[MemberRow],
        contents: Sequence[ContentRow],
        orders: Sequence[OrderRow],
    ) -> None:
        self._days = days
        self._members = members
        self._contents = contents
        self._orders = orders

    async def first_active_day(self) -> date | None:
        """See `Figures`."""
        return min((row.day for row in self._days), default=None)

    async def first_paid_at(self, currency: str) -> datetime | None:
        """See `Figures`."""
        return min((row.paid_at for row in self._orders if row.paid_at and row.currency == currency), default=None)

    async def survival(self, last_day: date) -> Survival:
        """See `Figures`."""
        days = defaultdict(list)
        for row in self._days:
            days[row.member_id].append(row.day)
        return survival(days, last_day)

    async def interactions(self, first_day: date | None, last_day: date) -> Mapping[Kind, int]:
        """See `Figures`."""
        rows = [row for row in self._days if (first_day is None or first_day <= row.day) and row.day <= last_day]
        return {kind: sum(_counts(row)[kind] for row in rows) for kind in KINDS}

    async def member_interactions(self, member_id: str, window: Window) -> int:
        """See `Figures`."""
        return sum(
            sum(_counts(row).values())
            for row in self._days
            if row.member_id == member_id and window.first_day <= row.day <= window.last_day
        )

    async def is_member(self, member_id: str) -> bool:
        """See `Figures`."""
        return any(row.member_id == member_id for row in self._members)

    async def members(self, before: datetime) -> int:
        """See `Figures`."""
        return sum(row.registered_at < before for row in self._community())

    async def member_weeks(self, this_week: Window, weeks: int) -> Sequence[MemberWeeks]:
        """See `Figures`."""
        since = {row.member_id: _week(this_week, row.registered_at, weeks) for row in self._community()}
        found: dict[str, Counter[int]] = defaultdict(Counter)
        for row in self._days:
            week = (this_week.last_day - row.day).days // DAYS_PER_WEEK
            if 0 <= week < weeks and row.member_id in since:
                found[row.member_id][week] += sum(_counts(row).values())
        return [MemberWeeks(since[member_id], counts) for member_id, counts in found.items()]

    async def registered_by_week(self, this_week: Window, weeks: int) -> Mapping[int, int]:
        """See `Figures`."""
        found = Counter(_week(this_week, row.registered_at, weeks) for row in self._community())
        return {week: count for week, count in found.items() if week >= 0}

    async def payments(self, start: datetime, before: datetime, currency: str) -> Payments:
        """See `Figures`."""
        paid = [
            row
            for row in self._orders
            if row.paid_at and start <= row.paid_at < before and row.currency == currency and row.charged_minor > 0
        ]
        return Payments(len({row.member_id for row in paid}), sum(row.charged_minor for row in paid))

    async def orders(self, before: datetime) -> Orders:
        """See `Figures`."""
        placed = sum(row.placed_at is not None and row.placed_at < before for row in self._orders)
        return Orders(placed, sum(row.paid_at is not None and row.paid_at < before for row in self._orders))

    async def contents(self, before: datetime) -> int:
        """See `Figures`."""
        return sum(row.published_at < before for row in self._contents)

    async def sources(self, projections: Sequence[str]) -> Sequence[Source]:
        """None: rows in memory have no source."""
        return ()

    def _community(self) -> list[MemberRow]:
        return [row for row in self._members if row.role in COMMUNITY_ROLES]


def _counts(row: DayRow) -> dict[Kind, int]:
    return {
        "view": row.views,
        "like": row.likes,
        "comment": row.comments,
        "share": row.shares,
        "rate": row.ratings,
        "complete": row.completions,
    }


def _week(this_week: Window, at: datetime, weeks: int) -> int:
    """The week, counted back from `this_week`: at least -1 (later), at most the first of the `weeks`."""
    week = (this_week.last_day - day_of(at, this_week.zone)).days // DAYS_PER_WEEK
    return min(max(week, -1), weeks - 1)
