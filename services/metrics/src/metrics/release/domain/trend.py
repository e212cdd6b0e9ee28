"""Public trends: the tags or categories whose contents most members were active with, by noised numbers of members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from metrics.release.domain.budget import PLATFORM
from metrics.release.domain.drawing import SUPPRESSED_UNDER_MEMBERS, Figure, Sums, Wanted, noise, number
from metrics.release.domain.loss import Accounting, Loss, nano_epsilon_within, nano_rho_of
from metrics.release.domain.mechanism import Bounds, Mechanism
from metrics.release.domain.release import Drawn

Dimension = Literal["tag", "category"]
DIMENSIONS: Final[tuple[Dimension, ...]] = ("category", "tag")
PARTITIONS_AT_MOST: Final = 3
"""The tags or categories to which one member counts: those with most of the member's interactions."""
ACTIVE_MEMBERS: Final = "active_members"


@dataclass(frozen=True, slots=True)
class Trend:
    """Members active with content of each tag or category in the `window_days` days that end with `last_day`."""

    dimension: Dimension
    window_days: int
    last_day: date
    zone: str

    kind = "trend"
    owner = PLATFORM

    def canonical(self) -> dict[str, Any]:
        """What tells the question from others."""
        return {
            "dimension": self.dimension,
            "window_days": self.window_days,
            "last_day": self.last_day.isoformat(),
            "zone": self.zone,
            "partitions_at_most": PARTITIONS_AT_MOST,
        }

    def wanted(self, accounting: Accounting, loss: Loss, sums: Sums) -> tuple[Wanted, ...]:
        """Half of the loss decides which partitions are shown, half is their noise."""
        bounds = Bounds(partitions=PARTITIONS_AT_MOST)
        epsilon_nano, rest = selection_share(accounting, loss.nano)
        selection = Mechanism("truncated_geometric", epsilon_nano, bounds, loss.delta_femto)
        counts = tuple(sums.numbers[ACTIVE_MEMBERS])
        return (Wanted(ACTIVE_MEMBERS, noise(accounting, rest, bounds), counts, selection),)

    def kept(self, drawn: Sequence[Drawn]) -> tuple[Drawn, ...]:
        """Those with enough members."""
        return tuple(one for one in drawn if one.value >= SUPPRESSED_UNDER_MEMBERS)

    def figures_of(self, drawn: Sequence[Drawn], public: Mapping[str, int]) -> list[Figure]:
        """Most members first."""
        return sorted(map(number, drawn), key=lambda one: (-one.value, one.partition))


def selection_share(accounting: Accounting, nano: int) -> tuple[int, int]:
    """The epsilon of the selection, and what is left for the noise, both in billionths."""
    half = nano // 2
    if accounting == "pure":
        return half, nano - half
    epsilon_nano = nano_epsilon_within(half)
    return epsilon_nano, nano - nano_rho_of(epsilon_nano)
