"""Whether a model that followed rows by detours holds what a refit of the same rows holds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.model.model import Model
from reco.model.parts.popularity import Popularity
from reco.model.rows import SECOND_US, Floats32, Pair
from reco.model.settings import Settings
from reco.verification.refit import Refit, refitted
from reco.verification.walk import Shows, silent, walked

PARTS: Final = ("ease", "popular")
MAX_INVERSE_DIFFERENCE: Final = 1e-8
MAX_POPULARITY_DIFFERENCE: Final = 1e-5
"""Popularity is handed out in single precision, as a logarithm of the order of 10."""
ROWS_AT_ONCE: Final = 256


class Finding(NamedTuple):
    """One comparison: of how many numbers, the largest difference, and the largest that is allowed. `said`: why there
    was nothing to compare, else empty."""

    what: str
    compared: int
    largest: float
    allowed: float
    said: str = ""

    @property
    def equal(self) -> bool:
        """Whether no difference is larger than allowed; a number that is none is one."""
        return bool(self.largest <= self.allowed)


class Verified(NamedTuple):
    """What was compared. `left_out`: rows beyond the model's bounds."""

    pairs: int
    members: int
    items: int
    left_out: int
    findings: tuple[Finding, ...]

    @property
    def equal(self) -> bool:
        """Whether all comparisons came out equal."""
        return all(one.equal for one in self.findings)


def verify(
    pairs: Sequence[Pair],
    settings: Settings,
    seed: np.random.Generator,
    shows: Shows = silent,
) -> Verified:
    """Build one model by detours, refit the same rows at once, and compare. Holds about six matrices of items x items
    doubles, where the items are within `settings.max_dense_items`."""
    model = Model(replace(settings, parts=PARTS, replay=1), seed)
    walked(model, pairs, seed, shows)
    numbers = {name: number for number, name in enumerate(model.standing.items)}
    now_us = (max((pair.first_us for pair in pairs), default=0) // SECOND_US + 1) * SECOND_US
    dense = len(numbers) <= settings.max_dense_items
    refit = refitted(pairs, numbers, settings.max_history, now_us, dense=dense)
    return Verified(
        pairs=len(pairs),
        members=len({pair.member_id for pair in pairs}),
        items=len(numbers),
        left_out=model.standing.left_out,
        findings=compared(model, refit, now_us),
    )


def compared(model: Model, refit: Refit, now_us: int) -> tuple[Finding, ...]:
    """The model's exact parts beside those of a refit with the same numbers of items."""
    popularity = _popularity(model, now_us)
    trend = _finding("popularity", popularity, refit.popularity, MAX_POPULARITY_DIFFERENCE)
    if refit.counts is None or refit.inverse is None:
        said = "not kept: more contents than RECO_MAX_DENSE_ITEMS"
        return Finding("gram", 0, 0.0, 0.0, said), Finding("inverse", 0, 0.0, MAX_INVERSE_DIFFERENCE, said), trend
    size = len(model.inverse.values)  # items beyond are in no history, which the Gram matrix shows
    return (
        _finding("gram", _grown(model.gram.counts, len(refit.counts)), refit.counts, 0.0),
        _finding("inverse", model.inverse.values, refit.inverse[:size, :size], MAX_INVERSE_DIFFERENCE),
        trend,
    )


def _popularity(model: Model, now_us: int) -> Floats32:
    part = next(one for one in model.standing.parts if isinstance(one, Popularity))
    scores = part.scores(model.standing.profile("", now_us), len(model.standing.items))
    return np.stack([scores[column] for column in part.columns])


def _finding(what: str, mine: NDArray[np.generic], theirs: NDArray[np.generic], allowed: float) -> Finding:
    if mine.shape != theirs.shape:
        return Finding(what, 0, float("inf"), allowed, f"of another shape: {mine.shape}, and {theirs.shape} by refit")
    return Finding(what, mine.size, largest_difference(mine, theirs), allowed)


def largest_difference(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """Infinite where a number is none. Takes a few rows at a time, so that no further matrix is held."""
    largest = 0.0
    for low in range(0, len(one), ROWS_AT_ONCE):
        left, right = (of[low : low + ROWS_AT_ONCE].astype(np.float64) for of in (one, other))
        with np.errstate(invalid="ignore"):
            found = float(np.abs(left - right).max(initial=0.0))
        largest = max(largest, found if np.isfinite(found) else float("inf"))
    return largest


def _grown(counts: NDArray[Any], size: int) -> NDArray[Any]:
    """With rows and columns of zeros for items that no history has."""
    if len(counts) >= size:
        return counts
    larger = np.zeros((size, size), dtype=counts.dtype)
    larger[: len(counts), : len(counts)] = counts
    return larger
