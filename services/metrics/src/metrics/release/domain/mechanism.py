"""Mechanisms and the distribution of their noise: whole numbers at the sensitivity that the bounds imply.

PyDP draws the noise on a grid that is finer than 2^-39 of its scale and rounds it to a whole number. So a count or sum,
which is whole itself, gets a continuous Laplace or Gaussian noise rounded to the nearest whole number, and what is said
here about that distribution is exact but for the grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from metrics.release.domain.loss import FEMTO, NANO, Loss

MechanismName = Literal["laplace", "gaussian", "truncated_geometric"]
CONFIDENCE: Final = 0.95
"""Of the error bars: with this probability the noise is within the half width."""
MAX_SCALE: Final = 2.0**40
"""The widest noise. Beyond it, PyDP's grid would be coarser than whole numbers."""
MIN_SCALE: Final = 0.01
"""The narrowest: below it there is no noise to speak of, and PyDP's sampler does not end at 0."""
_EXACT_UP_TO: Final = 64.0
"""Up to this scale sums of noise are computed on the whole numbers; above it on a grid of 1/64 of the scale."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that one member adds: to `partitions` partitions (l0), in each `per_partition` times (linf), each time a
    whole number from `low` to `high`. The queries cut what is above."""

    partitions: int = 1
    per_partition: int = 1
    low: int = 0
    high: int = 1

    @property
    def _each(self) -> int:
        return self.per_partition * max(abs(self.low), abs(self.high))

    @property
    def l1(self) -> int:
        """How far one member moves all partitions together."""
        return self.partitions * self._each

    @property
    def l2_squared(self) -> int:
        """The square of how far one member moves them as a vector."""
        return self.partitions * self._each**2


@dataclass(frozen=True, slots=True)
class Mechanism:
    """`nano`: billionths of epsilon (`laplace`, `truncated_geometric`) or rho (`gaussian`) that one use of it costs."""

    name: MechanismName
    nano: int
    bounds: Bounds
    delta_femto: int = 0

    @property
    def amount(self) -> float:
        """Epsilon or rho."""
        return self.nano / NANO

    @property
    def delta(self) -> float:
        """Delta: of the truncated geometric only."""
        return self.delta_femto / FEMTO

    @property
    def loss(self) -> Loss:
        """What it costs in its own unit."""
        return Loss(self.nano, self.delta_femto)

    @property
    def sensitivity(self) -> float:
        """L2 for the Gaussian, else L1."""
        return math.sqrt(self.bounds.l2_squared) if self.name == "gaussian" else float(self.bounds.l1)

    @property
    def scale(self) -> float:
        """Of the Laplace noise b = L1/epsilon, of the Gaussian the standard deviation L2/sqrt(2 rho)."""
        if self.name == "gaussian":
            return math.sqrt(self.bounds.l2_squared / (2 * self.amount))
        return self.bounds.l1 / self.amount


def is_drawable(mechanism: Mechanism) -> bool:
    """Whether the noise has a width that can be drawn: neither none nor more than whole numbers hold."""
    return mechanism.nano > 0 and MIN_SCALE <= mechanism.scale <= MAX_SCALE


def probability(mechanism: Mechanism, noise: int) -> float:
    """The probability of this noise."""
    return _between(mechanism, noise - 0.5, noise + 0.5)


def variance(mechanism: Mechanism) -> float:
    """Of the noise, with the rounding."""
    scale = mechanism.scale
    if mechanism.name == "gaussian":
        return scale**2 + 1 / 12 if scale >= 1 else _variance_by_sum(mechanism)
    q = math.exp(-1 / scale)
    return 2 * math.sinh(0.5 / scale) * q * (1 + q) / (1 - q) ** 3


def half_width(mechanism: Mechanism, terms: int = 1, confidence: float = CONFIDENCE) -> int:
    """The smallest whole number that the sum of `terms` independent noises does not exceed, in either direction, with
    probability `confidence`. For one noise exact; for more, exact up to a scale of 64 and within 1 in 64 above it."""
    if terms > 1:
        step, within = _sums(mechanism, terms)
        return int(step * np.searchsorted(within, confidence))
    widths = ndtri((1 + confidence) / 2) if mechanism.name == "gaussian" else -math.log(1 - confidence)
    return max(0, math.ceil(mechanism.scale * float(widths) - 0.5))


def probability_within(mechanism: Mechanism, width: int, terms: int = 1) -> float:
    """The probability that the sum of `terms` independent noises is at most `width`, in either direction."""
    if terms > 1:
        step, within = _sums(mechanism, terms)
        return float(within[min(width // step, len(within) - 1)])
    return 1 - 2 * _below(mechanism, -width - 0.5)


def _between(mechanism: Mechanism, low: float, high: float) -> float:
    """Of the noise before it is rounded. Through the far end of the side on which it lies, where nothing cancels."""
    if low + high > 0:
        low, high = -high, -low
    return _below(mechanism, high) - _below(mechanism, low)


def _below(mechanism: Mechanism, x: float) -> float:
    scale = mechanism.scale
    if mechanism.name == "gaussian":
        return 0.5 * math.erfc(-x / (scale * math.sqrt(2)))
    return 0.5 * math.exp(x / scale) if x <= 0 else 1 - 0.5 * math.exp(-x / scale)


def _variance_by_sum(mechanism: Mechanism) -> float:
    return 2 * sum(noise**2 * probability(mechanism, noise) for noise in range(1, math.ceil(mechanism.scale * 40) + 2))


@lru_cache(maxsize=256)
def _sums(mechanism: Mechanism, terms: int) -> tuple[int, NDArray[np.float64]]:
    """A step, and the probabilities that the sum is at most 0, 1, 2 … steps: by the distribution of one noise on the
    grid of these steps, convolved with itself."""
    step = max(1, math.floor(mechanism.scale / _EXACT_UP_TO))
    one = _on_grid(mechanism, step, math.ceil(mechanism.scale / step * (20 + math.log(terms))) + 1)
    size = terms * (len(one) - 1) + 1
    whole = np.fft.irfft(np.fft.rfft(one, 2 * size) ** terms, 2 * size)[:size]
    middle = size // 2
    return step, whole[middle] + np.concatenate(([0.0], 2 * np.cumsum(whole[middle + 1 :])))


def _on_grid(mechanism: Mechanism, step: int, reach: int) -> NDArray[np.float64]:
    """The probabilities of `step` times -reach to reach."""
    half = [_between(mechanism, (n - 0.5) * step, (n + 0.5) * step) for n in range(reach + 1)]
    return np.array([*reversed(half[1:]), *half])
