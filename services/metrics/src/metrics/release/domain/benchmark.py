"""The benchmark: the platform's noised figures beside which a creator compares their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
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
INTERACTIONS_AT_MOST: Final = 100
"""Counted interactions of one member in the window; more of them count as so many."""
SPEND_AT_MOST_MINOR: Final = 100_000
"""What one member paid in the window, in minor units; more counts as so much."""

NUMBERS: Final[Mapping[str, Bounds]] = {
    COUNTED_IN: Bounds(),
    "interactions": Bounds(high=INTERACTIONS_AT_MOST),
    "members": Bounds(),
    "payers": Bounds(),
    "spend_minor": Bounds(high=SPEND_AT_MOST_MINOR),
}
"""The numbers that get noise, each with the most that one member adds to it."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure as a quotient, cut to what it can be. `below` may be a public number."""

    above: str
    below: str
    low: float = 0.0
    high: float = float("inf")


RATIOS: Final[Mapping[str, Ratio]] = {
    "active_members_per_creator": Ratio(COUNTED_IN, "creators"),
    "interactions_per_active_member": Ratio("interactions", COUNTED_IN, high=float(INTERACTIONS_AT_MOST)),
    "conversion": Ratio("payers", "members", high=1.0),
    "mean_spend_minor": Ratio("spend_minor", "payers", high=float(SPEND_AT_MOST_MINOR)),
}
USUAL: Final = ("active_members_per_creator", "conversion", "interactions_per_active_member")
"""The figures of a benchmark that names none."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Figures (sorted names of `RATIOS`) of all members in the `window_days` days that end with `last_day`. `currency`
    is that of money, empty where no figure is money."""

    figures: tuple[str, ...]
    window_days: int
    last_day: date
    zone: str
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
        quotients = [self._quotient(name, RATIOS[name], by_name, public) for name in self.figures] if drawn else []
        return [*map(number, drawn), *(one for one in quotients if one)]

    def _bounds(self) -> dict[str, Bounds]:
        used = {COUNTED_IN, *(part for name in self.figures for part in (RATIOS[name].above, RATIOS[name].below))}
        return {name: bounds for name, bounds in NUMBERS.items() if name in used}

    def _quotient(self, name: str, one: Ratio, drawn: Mapping[str, Drawn], public: Mapping[str, int]) -> Figure | None:
        confidence = CONFIDENCE if one.below in public else BOTH
        below = Interval(public[one.below]) if one.below in public else _interval(drawn[one.below], confidence)
        found = ratio(_interval(drawn[one.above], confidence), below)
        if found is None:
            return None
        value, error = found
        return Figure(name, "", min(one.high, max(one.low, value)), error, of=(one.above, one.below))


def _interval(one: Drawn, confidence: float) -> Interval:
    return Interval(one.value, half_width(one.mechanism, confidence=confidence))
