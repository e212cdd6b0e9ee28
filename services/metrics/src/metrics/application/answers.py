"""The service's answers: each reads a few sums and applies one definition of the domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from eventfold.errors import NotFound
from metrics.application.figures import Figures, Orders
from metrics.domain import activity
from metrics.domain.calibration import Calibration, Tally
from metrics.domain.kinds import Kind
from metrics.domain.retention import DAYS_PER_WEEK, HISTORY_WEEKS, Engagement, Survival
from metrics.domain.revenue import Revenue
from metrics.domain.windows import Window, day_of, ending

DEFAULT_T_DAYS = (1, 7, 30)
DEFAULT_WINDOW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Retention:
    """Survival over the whole history, and L(t) for the requested t."""

    survival: Survival
    points: Sequence[tuple[int, float]]
    window: Window


@dataclass(frozen=True, slots=True)
class MemberRetention:
    """A member's engagement with its two windows, and the tally of members in the same situation."""

    engagement: Engagement
    tally: Tally
    history_window: Window
    current_window: Window


@dataclass(frozen=True, slots=True)
class Activity:
    """Interactions of all members in a window."""

    by_kind: Mapping[Kind, int]
    members: int
    window: Window

    @property
    def interactions(self) -> int:
        """All kinds together."""
        return sum(self.by_kind.values())

    @property
    def activity(self) -> float:
        """A(t)."""
        return activity.per_member(self.interactions, self.members)

    @property
    def per_day(self) -> float:
        """A(t) per day."""
        return activity.per_day(self.activity, self.window.days)

    @property
    def weighted(self) -> float:
        """A(t) with the weights of the kinds."""
        return activity.weighted_per_member(self.by_kind, self.members)


@dataclass(frozen=True, slots=True)
class MemberActivity:
    """One member's interactions in a window."""

    interactions: int
    window: Window

    @property
    def rate_per_day(self) -> float:
        """Interactions per day."""
        return activity.per_day(self.interactions, self.window.days)


@dataclass(frozen=True, slots=True)
class Overview:
    """Numbers of members, content, interactions and orders."""

    members: int
    contents: int
    interactions: Mapping[Kind, int]
    orders: Orders


async def retention(figures: Figures, as_of: datetime, zone: ZoneInfo, t_days: Sequence[int]) -> Retention:
    """Retention over all days from the first active day to the day of `as_of`."""
    last_day = day_of(as_of, zone)
    found = await figures.survival(last_day)
    first_day = await figures.first_active_day()
    window = Window(min(first_day or last_day, last_day), last_day, zone)
    return Retention(found, [(t, found.retained(t)) for t in t_days or DEFAULT_T_DAYS], window)


async def member_retention(
    figures: Figures, member_id: str, as_of: datetime, zone: ZoneInfo, calibration: Calibration
) -> MemberRetention:
    """A member's score inputs and probability. Raises `NotFound` for an unknown member."""
    await _require_member(figures, member_id)
    current = ending(day_of(as_of, zone), DAYS_PER_WEEK, zone)
    history = current.before(HISTORY_WEEKS * DAYS_PER_WEEK)
    engagement = Engagement(
        await figures.member_interactions(member_id, history), await figures.member_interactions(member_id, current)
    )
    return MemberRetention(engagement, calibration.of(engagement), history, current)


async def all_activity(figures: Figures, as_of: datetime, zone: ZoneInfo, window_days: int) -> Activity:
    """A(t) over a window that ends with the day of `as_of`."""
    window = ending(day_of(as_of, zone), window_days or DEFAULT_WINDOW_DAYS, zone)
    by_kind = await figures.interactions(window.first_day, window.last_day)
    return Activity(by_kind, await figures.members(window.end), window)


async def member_activity(
    figures: Figures, member_id: str, as_of: datetime, zone: ZoneInfo, window_days: int
) -> MemberActivity:
    """One member's rate. Raises `NotFound` for an unknown member."""
    await _require_member(figures, member_id)
    window = ending(day_of(as_of, zone), window_days or DEFAULT_WINDOW_DAYS, zone)
    return MemberActivity(await figures.member_interactions(member_id, window), window)


async def revenue(
    figures: Figures, as_of: datetime, zone: ZoneInfo, window_days: int, currency: str
) -> tuple[Revenue, Window]:
    """R = N*C*P over a window that ends with the day of `as_of`; 0 days means since the first paid order."""
    last_day = day_of(as_of, zone)
    if window_days:
        window = ending(last_day, window_days, zone)
    else:
        first_at = await figures.first_paid_at(currency)
        window = Window(min(day_of(first_at, zone), last_day) if first_at else last_day, last_day, zone)
    paid = await figures.payments(window.start, window.end, currency)
    return Revenue(await figures.members(window.end), paid.payers, paid.revenue_minor), window


async def overview(figures: Figures, as_of: datetime, zone: ZoneInfo) -> Overview:
    """Counts up to and including the day of `as_of`."""
    window = ending(day_of(as_of, zone), 1, zone)
    return Overview(
        await figures.members(window.end),
        await figures.contents(window.end),
        await figures.interactions(None, window.last_day),
        await figures.orders(window.end),
    )


async def _require_member(figures: Figures, member_id: str) -> None:
    if not await figures.is_member(member_id):
        raise NotFound("there is no such member", field="member_id", member_id=member_id)
