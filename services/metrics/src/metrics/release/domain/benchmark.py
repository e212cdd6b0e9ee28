"""The benchmark: noised figures of the platform or of a category, beside which a creator compares their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import inf
from typing import Any, Final

from metrics.release.domain.budget import PLATFORM
from metrics.release.domain.drawing import (
    BOTH,
    SUPPRESSED_UNDER_MEMBERS,
    Figure,
    Interval,
    Sums,
    Wanted,
    noise,
    number,
    ratio,
)
from metrics.release.domain.loss import Accounting, Loss, shares
from metrics.release.domain.mechanism import CONFIDENCE, Bounds, half_width
from metrics.release.domain.release import Drawn

COUNTED_IN: Final = "active_members"
"""The paid-for number by which a benchmark is suppressed. It is always drawn."""
CREATORS_AT_MOST: Final = 10
"""Creators with whose content one member is active in the window; more of them count as so many."""
INTERACTIONS_AT_MOST: Final = 100
"""Counted interactions of one member in the window; more of them count as so many."""
RATINGS_AT_MOST: Final = 10
"""Ratings of one member in the window, the newest."""
MIDDLE_RATING: Final = 3
"""Ratings from 1 to 5 are summed as distances from it, so that one moves the sum by 2 at most, and not by 5."""
SPEND_AT_MOST_MINOR: Final = 100_000
"""What one member paid in the window, in minor units; more counts as so much."""

NUMBERS: Final[Mapping[str, Bounds]] = {
    COUNTED_IN: Bounds(),
    "audiences": Bounds(high=CREATORS_AT_MOST),
    "interactions": Bounds(high=INTERACTIONS_AT_MOST),
    "payers": Bounds(),
    "ratings": Bounds(per_partition=RATINGS_AT_MOST),
    "rating_distances": Bounds(per_partition=RATINGS_AT_MOST, low=1 - MIDDLE_RATING, high=5 - MIDDLE_RATING),
    "spend_minor": Bounds(high=SPEND_AT_MOST_MINOR),
}
"""The numbers that get noise, each with the most that one member adds to it. `audiences`: pairs of an active member and
a creator with whose content the member was active."""
CREATORS: Final = "creators"
"""How many creators have published: public, because their works are."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure as a quotient plus `offset`, cut to what it can be. `below` may be a public number."""

    above: str
    below: str
    low: float
    high: float
    offset: float = 0.0


RATIOS: Final[Mapping[str, Ratio]] = {
    "active_members_per_creator": Ratio("audiences", CREATORS, 0, inf),
    "interactions_per_active_member": Ratio("interactions", COUNTED_IN, 0, INTERACTIONS_AT_MOST),
    "conversion": Ratio("payers", COUNTED_IN, 0, 1),
    "mean_rating": Ratio("rating_distances", "ratings", 1, 5, MIDDLE_RATING),
    "mean_spend_minor": Ratio("spend_minor", "payers", 0, SPEND_AT_MOST_MINOR),
}
USUAL: Final = ("active_members_per_creator", "conversion", "interactions_per_active_member", "mean_rating")
"""The figures of a benchmark that names none."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Figures (sorted names of `RATIOS`) of the `window_days` days that end with `last_day`: of all members, or of what
    they did with content of a category. `currency` is that of money, empty where no figure is money."""

    figures: tuple[str, ...]
    window_days: int
    last_day: date
    zone: str
    category: str = ""
    currency: str = ""

    kind = "benchmark"
    owner = PLATFORM

    def canonical(self) -> dict[str, Any]:
        """What tells the question from others, with the bounds that its numbers have."""
        bounds = {name: [one.per_partition, one.low, one.high] for name, one in self._bounds().items()}
        return {
            "figures": [*self.figures],
            "window_days": self.window_days,
            "last_day": self.last_day.isoformat(),
            "zone": self.zone,
            "category": self.category,
            "currency": self.currency,
            "bounds": bounds,
        }

    def wanted(self, accounting: Accounting, loss: Loss, sums: Sums) -> tuple[Wanted, ...]:
        """Each number with an equal share of the loss."""
        bounds = self._bounds()
        parts = shares(loss.nano, [1] * len(bounds))
        return tuple(
            Wanted(name, noise(accounting, nano, one), tuple(sums.numbers[name]))
            for (name, one), nano in zip(bounds.items(), parts, strict=True)
        )

    def kept(self, drawn: Sequence[Drawn]) -> tuple[Drawn, ...]:
        """All, or none where too few members are active."""
        members = next(one.value for one in drawn if one.name == COUNTED_IN)
        return tuple(drawn) if members >= SUPPRESSED_UNDER_MEMBERS else ()

    def figures_of(self, drawn: Sequence[Drawn], public: Mapping[str, int]) -> list[Figure]:
        """The noisy numbers, and the quotients whose noise leaves them a value."""
        by_name = {one.name: one for one in drawn}
        quotients = [_quotient(name, RATIOS[name], by_name, public) for name in self.figures] if drawn else []
        return [*map(number, drawn), *(one for one in quotients if one)]

    def _bounds(self) -> dict[str, Bounds]:
        used = {COUNTED_IN, *(part for name in self.figures for part in (RATIOS[name].above, RATIOS[name].below))}
        return {name: bounds for name, bounds in NUMBERS.items() if name in used}


def _quotient(name: str, one: Ratio, drawn: Mapping[str, Drawn], public: Mapping[str, int]) -> Figure | None:
    is_public = one.below in public
    confidence = CONFIDENCE if is_public else BOTH
    below = Interval(public[one.below]) if is_public else _interval(drawn[one.below], confidence)
    found = ratio(_interval(drawn[one.above], confidence), below)
    if found is None:
        return None
    value, error = found
    formula = f"{one.above} / {one.below}" + (f" + {one.offset:g}" if one.offset else "")
    return Figure(name, "", min(one.high, max(one.low, value + one.offset)), error, formula=formula)


def _interval(one: Drawn, confidence: float) -> Interval:
    return Interval(one.value, half_width(one.mechanism, confidence=confidence))
