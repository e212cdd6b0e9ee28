"""Activity: interactions per member and day, and where active members come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from metrics.domain.kinds import Kind, Weights, weighted
from metrics.domain.windows import Window

FORMULA_ACTIVITY = (
    "A(t) = sum(I_i(t))/n: counted interactions (view, like, comment, share, rate, complete) of all members in the "
    "window, divided by n, the members registered by its end; per day: divided by the window's days too; weighted: "
    "each interaction times the weight of its kind"
)
FORMULA_MEMBER_ACTIVITY = "rate = I(t)/days: the member's counted interactions in the window, divided by its days"
FORMULA_TREND = (
    "active: members (accounts of consumers and creators) with a counted interaction (view, like, comment, share, "
    "rate, complete) or paid order in the period; returning: active in the period before, too; new: registered in "
    "this period and not returning; resurrecting: the other active ones; active = new + returning + resurrecting; "
    "dormant(t) = active(t-1) - returning(t); frequency: interactions per active member; weighted: each interaction "
    "times the weight of its kind, per active member; weekly and monthly active: distinct members active on the 7 and"
    " the 30 days that end with the day; stickiness = active / monthly active"
)
FORMULA_BREAKDOWN = (
    "active: members (accounts of consumers and creators) with a counted interaction or paid order in the window; "
    "interactions: view, like, comment, share, rate, complete; weighted: each times the weight of its kind; a content "
    "with several tags counts for each"
)
FORMULA_RESTATEMENTS = (
    "events of a day that were recorded on a later day of the time zone, by the day of the event, the day of recording "
    "and the reason: import (brought with its own date by an operator) or late"
)
WEEKLY_DAYS, MONTHLY_DAYS = 7, 30


@dataclass(frozen=True, slots=True)
class Activity:
    """Interactions of all members in a window."""

    by_kind: Mapping[Kind, int]
    members: int
    window: Window
    weights: Weights

    @property
    def interactions(self) -> int:
        """All kinds together."""
        return sum(self.by_kind.values())

    @property
    def activity(self) -> float:
        """A(t) = sum(I_i(t))/n; 0 without members."""
        return self.interactions / self.members if self.members else 0.0

    @property
    def per_day(self) -> float:
        """A(t) per day."""
        return self.activity / self.window.days

    @property
    def weighted(self) -> float:
        """A(t) with each interaction times the weight of its kind; 0 without members."""
        return weighted(self.by_kind, self.weights) / self.members if self.members else 0.0


@dataclass(frozen=True, slots=True)
class MemberActivity:
    """One member's interactions in a window."""

    interactions: int
    window: Window

    @property
    def rate_per_day(self) -> float:
        """Interactions per day."""
        return self.interactions / self.window.days


@dataclass(frozen=True, slots=True)
class Spell:
    """Active members of one period, and what they did."""

    active: int = 0
    new: int = 0
    returning: int = 0
    by_kind: Mapping[Kind, int] | None = None

    @property
    def resurrecting(self) -> int:
        """Active, neither new nor returning."""
        return self.active - self.new - self.returning

    @property
    def interactions(self) -> int:
        """All kinds together."""
        return sum((self.by_kind or {}).values())

    @property
    def frequency(self) -> float:
        """Interactions per active member; 0 without any."""
        return self.interactions / self.active if self.active else 0.0

    def weighted(self, weights: Weights) -> float:
        """Quality: weighted interactions per active member; 0 without any."""
        return weighted(self.by_kind or {}, weights) / self.active if self.active else 0.0


def stickiness(active: int, monthly: int) -> float:
    """DAU/MAU; 0 without monthly active members."""
    return active / monthly if monthly else 0.0


def covered(changes: Mapping[date, int], days: Sequence[date]) -> list[int]:
    """How many spans cover each of `days`, ascending. `changes`: by day, spans that begin minus those that ended."""
    found, total, pending = [], 0, sorted(changes.items(), reverse=True)
    for day in days:
        while pending and pending[-1][0] <= day:
            total += pending.pop()[1]
        found.append(total)
    return found
