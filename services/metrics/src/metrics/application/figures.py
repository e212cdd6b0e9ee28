"""The figures that answers are computed from: sums over the read tables as of one moment, independent of storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from metrics.domain.calibration import MemberWeeks
from metrics.domain.kinds import Kind
from metrics.domain.retention import Survival
from metrics.domain.windows import Window


@dataclass(frozen=True, slots=True)
class Source:
    """How far a projection has come on one partition."""

    projection: str
    topic: str
    partition: int
    seq: int
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders placed and paid."""

    placed: int
    paid: int


@dataclass(frozen=True, slots=True)
class Payments:
    """Distinct payers and what they paid, in minor units of one currency."""

    payers: int
    revenue_minor: int


class Figures(Protocol):
    """One consistent look at the read tables. Days are inclusive, instants named `before` exclusive."""

    async def first_active_day(self) -> date | None:
        """The earliest day on which a member was active."""

    async def first_paid_at(self, currency: str) -> datetime | None:
        """When the first order in the currency was paid."""

    async def survival(self, last_day: date) -> Survival:
        """Day-to-day survival observed up to `last_day`."""

    async def interactions(self, first_day: date | None, last_day: date) -> Mapping[Kind, int]:
        """Counted interactions of all members; every kind is present."""

    async def member_interactions(self, member_id: str, window: Window) -> int:
        """Counted interactions of one member."""

    async def is_member(self, member_id: str) -> bool:
        """Whether there is such an account, of any role."""

    async def members(self, before: datetime) -> int:
        """Accounts of community roles registered before an instant."""

    async def member_weeks(self, this_week: Window, weeks: int) -> Sequence[MemberWeeks]:
        """Community members with an active week among the `weeks` weeks that end with `this_week` (week 0).
        Earlier registrations count in the first week, later ones in week -1."""

    async def registered_by_week(self, this_week: Window, weeks: int) -> Mapping[int, int]:
        """Community accounts by the week of their registration; earlier ones count in the first week."""

    async def payments(self, start: datetime, before: datetime, currency: str) -> Payments:
        """Paid orders above 0."""

    async def orders(self, before: datetime) -> Orders:
        """All orders, free ones included."""

    async def contents(self, before: datetime) -> int:
        """Content published before an instant."""

    async def sources(self, projections: Sequence[str]) -> Sequence[Source]:
        """How far these projections have come."""


Look = Callable[[], AbstractAsyncContextManager[Figures]]
"""Opens one consistent look at the read tables."""
