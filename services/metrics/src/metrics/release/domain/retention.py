"""Released retention: how many members of a cohort were still active in or after each period since they began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from metrics.release.domain.budget import PLATFORM
from metrics.release.domain.drawing import BOTH, SUPPRESSED_UNDER_MEMBERS, Figure, Interval, Sums, Wanted, noise, ratio
from metrics.release.domain.loss import Accounting, Loss
from metrics.release.domain.mechanism import Bounds, Mechanism, half_width
from metrics.release.domain.release import Drawn
from metrics.release.domain.survival import monotone, survivors

NEVER: Final = "never"
"""The place in the histogram of members who were not active in any of the periods."""
LAST_ACTIVE: Final = "last_active_period"


@dataclass(frozen=True, slots=True)
class Retention:
    """Members who began from `first_day` to `last_day`, in the `periods` periods of `period_days` days that follow (the
    first begins with each one's own day). A member begins by registering, or with a `creator_id` by the first activity
    with that creator's content, and then only activity with that counts."""

    first_day: date
    last_day: date
    period_days: int
    periods: int
    zone: str
    creator_id: str = ""

    kind = "retention"

    @property
    def owner(self) -> str:
        """Who answers for the data."""
        return self.creator_id or PLATFORM

    def canonical(self) -> dict[str, Any]:
        """What tells the question from others."""
        return {
            "first_day": self.first_day.isoformat(),
            "last_day": self.last_day.isoformat(),
            "period_days": self.period_days,
            "periods": self.periods,
            "zone": self.zone,
            "creator_id": self.creator_id,
        }

    @property
    def places(self) -> tuple[str, ...]:
        """The histogram's places, in order."""
        return (NEVER, *map(str, range(self.periods)))

    def wanted(self, accounting: Accounting, loss: Loss, sums: Sums) -> tuple[Wanted, ...]:
        """One histogram. Each member is in one place of it, so each place has the whole loss."""
        found = dict(sums.numbers[LAST_ACTIVE])
        numbers = tuple((place, found.get(place, 0)) for place in self.places)
        return (Wanted(LAST_ACTIVE, noise(accounting, loss.nano, Bounds()), numbers),)

    def kept(self, drawn: Sequence[Drawn]) -> tuple[Drawn, ...]:
        """All, or none of too small a cohort."""
        return tuple(drawn) if sum(one.value for one in drawn) >= SUPPRESSED_UNDER_MEMBERS else ()

    def figures_of(self, drawn: Sequence[Drawn], public: Mapping[str, int]) -> list[Figure]:
        """The cohort's size, its survivors, and their shares."""
        if not drawn:
            return []
        mechanism, values = drawn[0].mechanism, monotone(survivors([one.value for one in drawn]))
        size, *rest = [
            Figure("survivors", place, value, half_width(mechanism, terms), mechanism)
            for place, value, terms in zip(self.places, values, range(len(values), 0, -1), strict=True)
        ]
        return [replace(size, name="cohort", partition=""), *rest, *_shares(values, mechanism)]


def _shares(values: Sequence[int], mechanism: Mechanism) -> list[Figure]:
    """Never increasing: a period's share is at most that of the one before."""
    wide = [half_width(mechanism, terms, BOTH) for terms in range(len(values), 0, -1)]
    size = Interval(values[0], wide[0])
    found = [ratio(Interval(value, error), size) for value, error in zip(values[1:], wide[1:], strict=True)]
    return [
        Figure("retention", str(period), min(1.0, one[0]), min(1.0, one[1]), formula="survivors / cohort")
        for period, one in enumerate(found)
        if one is not None
    ]
