"""Activity: interactions per member, and per day."""

from __future__ import annotations

from collections.abc import Mapping

from metrics.domain.kinds import QUALITY, Kind

FORMULA_ACTIVITY = (
    "A(t) = sum(I_i(t))/n: counted interactions (view, like, comment, share, rate, complete) of all members in the "
    "window, divided by n, the members registered by its end; per day: divided by the window's days too; weighted: "
    "each interaction times the weight of its kind"
)
FORMULA_MEMBER_ACTIVITY = "rate = I(t)/days: the member's counted interactions in the window, divided by its days"


def per_member(interactions: int, members: int) -> float:
    """A(t) = sum(I_i(t))/n; 0 without members."""
    return interactions / members if members else 0.0


def weighted_per_member(by_kind: Mapping[Kind, int], members: int) -> float:
    """A(t) with each interaction multiplied by the `QUALITY` of its kind; 0 without members."""
    return sum(QUALITY[kind] * count for kind, count in by_kind.items()) / members if members else 0.0


def per_day(interactions: float, window_days: int) -> float:
    """Interactions per day of a window."""
    return interactions / window_days
