"""By how much one ranking is better than another, and how sure that is: paired bootstrap over members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 2_000
LEVEL = 0.95
MAX_CELLS = 4_000_000
"""Draws that are held at a time."""


class Interval(TypedDict):
    """A mean difference over outcomes, and the ends of its 95% interval."""

    mean: float
    low: float
    high: float


def paired(
    members: Sequence[str], differences: Mapping[str, Floats], seed: int, resamples: int = RESAMPLES
) -> dict[str, Interval]:
    """By name: the mean of the differences (one for each outcome, of the member at the same place), with the interval
    that comes of drawing as many members as there are, with replacement and all their outcomes, `resamples` times.

    The members are drawn, not the outcomes, as a member's outcomes are alike; all names see the same draws. Raises
    `ValueError` without outcomes."""
    if not len(members):
        raise ValueError("without outcomes there is no difference")
    _, which = np.unique(np.asarray(members, dtype=np.str_), return_inverse=True)
    columns = (np.ones(len(which)), *differences.values())
    sums = np.stack([np.bincount(which, values) for values in columns], axis=1).astype(np.float64)
    drawn = _resampled(sums, np.random.default_rng(seed), resamples)
    ends = np.quantile(drawn[:, 1:] / drawn[:, :1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return {
        name: Interval(mean=float(np.mean(values)), low=float(low), high=float(high))
        for (name, values), low, high in zip(differences.items(), *ends, strict=True)
    }


def _resampled(sums: Floats, chance: np.random.Generator, resamples: int) -> Floats:
    """Sums over the members of each resample: resamples x columns of `sums` (members x columns)."""
    size = len(sums)
    found = np.empty((resamples, sums.shape[1]))
    at_once = max(1, MAX_CELLS // size)
    for first in range(0, resamples, at_once):
        drawn = chance.integers(size, size=(min(at_once, resamples - first), size))
        times = np.stack([np.bincount(one, minlength=size) for one in drawn]).astype(np.float64)
        found[first : first + len(drawn)] = times @ sums
    return found
