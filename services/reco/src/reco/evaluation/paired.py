"""By how much one ranking is better than another, and how sure that is: paired bootstrap over members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2_000
LEVEL = 0.95
MAX_CELLS = 4_000_000
"""Draws that are held at a time."""


class Interval(TypedDict):
    """A mean difference over outcomes, and the ends of its 95% interval."""

    mean: float
    low: float
    high: float


def paired(members: Sequence[str], differences: NDArray[np.float64], seed: int, resamples: int = RESAMPLES) -> Interval:
    """The mean of `differences` (one for each outcome, of the member at the same place), with the interval that comes
    of drawing as many members as there are, with replacement and all their outcomes, `resamples` times.

    The members are drawn, not the outcomes, as a member's outcomes are alike. Raises `ValueError` without outcomes."""
    if not len(members):
        raise ValueError("without outcomes there is no difference")
    _, which = np.unique(np.asarray(members, dtype=np.str_), return_inverse=True)
    sums, counts = np.bincount(which, differences).astype(np.float64), np.bincount(which).astype(np.float64)
    drawn = _resampled(sums, counts, np.random.default_rng(seed), resamples)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean=float(np.mean(differences)), low=float(low), high=float(high))


def _resampled(
    sums: NDArray[np.float64], counts: NDArray[np.float64], chance: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    size = len(sums)
    found = np.empty(resamples)
    at_once = max(1, MAX_CELLS // size)
    for first in range(0, resamples, at_once):
        drawn = chance.integers(size, size=(min(at_once, resamples - first), size))
        found[first : first + len(drawn)] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return found
