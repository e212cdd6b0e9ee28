"""Privacy loss in exact units, so that no payment is lost in a rounding, however small it is beside what was paid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Accounting = Literal["pure", "zcdp"]
"""How the losses of a period add up: `pure`, basic composition of epsilon (and delta); `zcdp`, zero-concentrated
differential privacy, in which rho adds up (and delta)."""

NANO: Final = 10**9
FEMTO: Final = 10**15


@dataclass(frozen=True, slots=True)
class Loss:
    """`nano`: billionths of epsilon (pure) or rho (zCDP). `delta_femto`: 10^-15 of delta."""

    nano: int
    delta_femto: int = 0

    def __add__(self, other: Loss) -> Loss:
        return Loss(self.nano + other.nano, self.delta_femto + other.delta_femto)

    def __sub__(self, other: Loss) -> Loss:
        return Loss(self.nano - other.nano, self.delta_femto - other.delta_femto)

    def within(self, other: Loss) -> bool:
        """Whether neither part is above that of `other`."""
        return self.nano <= other.nano and self.delta_femto <= other.delta_femto

    @property
    def amount(self) -> float:
        """Epsilon or rho."""
        return self.nano / NANO

    @property
    def delta(self) -> float:
        """Delta."""
        return self.delta_femto / FEMTO


NOTHING: Final = Loss(0)


def nano_of(amount: float) -> int:
    """The nearest whole number of billionths. `amount` must be finite."""
    return round(amount * NANO)


def femto_of(delta: float) -> int:
    """The nearest whole number of 10^-15. `delta` must be finite."""
    return round(delta * FEMTO)


def shares(nano: int, weights: Sequence[int]) -> list[int]:
    """`nano` in parts by `weights`: whole numbers that add up to it exactly; the first takes the remainder."""
    whole = sum(weights)
    parts = [nano * weight // whole for weight in weights]
    parts[0] += nano - sum(parts)
    return parts


def epsilon_of(rho: float, delta: float) -> float:
    """The epsilon that rho-zCDP implies at `delta` (above 0): rho + 2 sqrt(rho ln(1/delta)).

    Bun and Steinke, Concentrated Differential Privacy, TCC 2016 (arXiv 1605.02065), proposition 1.3.
    """
    return rho + 2 * math.sqrt(rho * math.log(1 / delta))


def nano_rho_of(epsilon_nano: int) -> int:
    """The rho that an epsilon-differentially private step costs, epsilon^2 / 2, rounded up (the same paper, proposition
    1.4; with a delta the step is delta-approximately so, section 8, and the deltas add up)."""
    return -(-epsilon_nano * epsilon_nano // (2 * NANO))


def nano_epsilon_within(rho_nano: int) -> int:
    """The largest epsilon whose `nano_rho_of` is at most `rho_nano`."""
    return math.isqrt(2 * NANO * rho_nano)
