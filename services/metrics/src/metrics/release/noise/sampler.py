"""Draws by PyDP: the only module that imports it, and it is imported in the noise process only.

What PyDP itself does not refuse is refused here: it wraps sums around at 2^63, hands NaN on, and does not come back
from a Gaussian of width 0. Its random bytes are buffered in the process, so a forked child would repeat those of its
parent."""

from __future__ import annotations

import math
import os
from typing import Any, Final

from pydp.algorithms.numerical_mechanisms import (  # type: ignore[import-untyped]
    GaussianMechanism,
    LaplaceMechanism,
)
from pydp.algorithms.partition_selection import (  # type: ignore[import-untyped]
    create_truncated_geometric_partition_strategy,
)

from metrics.release.noise.frames import MAX_NUMBERS, MAX_VALUE, DrawnInFork, Noisy, Numbers

MIN_SCALE: Final = 2.0**-10
MAX_SCALE: Final = 2.0**40
"""Beyond it PyDP's grid is coarser than whole numbers, and the numbers themselves would be rounded."""
MIN_EPSILON: Final = 2.0**-50
MAX_EPSILON: Final = 2.0**10


class Undrawable(ValueError):
    """Numbers that must not be drawn: PyDP would wrap around, go on for ever, or add no noise."""


class Sampler:
    """Draws noise in the process in which it was made, and in no fork of it."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    def draw(self, one: Numbers) -> Noisy:
        """The numbers with noise. Raises `Undrawable` and `DrawnInFork`."""
        if os.getpid() != self._pid:
            raise DrawnInFork
        check(one)
        mechanism = _mechanism(one)
        if not one.select_epsilon:
            return [mechanism.add_noise(value) for value in one.values]
        keeps = create_truncated_geometric_partition_strategy(
            one.select_epsilon, one.select_delta, one.select_partitions
        ).should_keep
        return [mechanism.add_noise(value) if keeps(value) else None for value in one.values]


def _mechanism(one: Numbers) -> Any:
    if one.noise == "gaussian":
        return GaussianMechanism.create_from_standard_deviation(one.std)
    return LaplaceMechanism(one.epsilon, one.sensitivity)


def check(one: Numbers) -> None:
    """Raise `Undrawable` unless all is as `Numbers` says."""
    if len(one.values) > MAX_NUMBERS:
        raise Undrawable(f"more than {MAX_NUMBERS} numbers")
    if any(type(value) is not int or abs(value) > MAX_VALUE for value in one.values):
        raise Undrawable(f"a number is not whole, or beyond {MAX_VALUE}")
    if not (_is_gaussian(one) if one.noise == "gaussian" else _is_laplace(one)):
        raise Undrawable("there is no such noise")
    if one.select_epsilon != 0 and not _is_selection(one):
        raise Undrawable("there is no such selection")


def _is_gaussian(one: Numbers) -> bool:
    return _is_within(one.std, MIN_SCALE, MAX_SCALE)


def _is_laplace(one: Numbers) -> bool:
    return (
        one.noise == "laplace"
        and _is_within(one.epsilon, MIN_EPSILON, MAX_EPSILON)
        and _is_positive(one.sensitivity)
        and _is_within(one.sensitivity / one.epsilon, MIN_SCALE, MAX_SCALE)
    )


def _is_selection(one: Numbers) -> bool:
    return (
        _is_within(one.select_epsilon, MIN_EPSILON, MAX_EPSILON)
        and _is_within(one.select_delta, 2.0**-1000, 0.5)
        and _is_positive(one.select_partitions)
        and all(value >= 0 for value in one.values)
    )


def _is_positive(value: int) -> bool:
    return type(value) is int and value > 0


def _is_within(value: float, low: float, high: float) -> bool:
    return type(value) in (float, int) and math.isfinite(value) and low <= value <= high
