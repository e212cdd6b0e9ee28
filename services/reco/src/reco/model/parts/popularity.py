"""Popularity that fades with time, at several half-lives, and what members took to at the same stage of theirs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reco.model.books import Change
from reco.model.growing import Vector
from reco.model.parts.base import Profile
from reco.model.rows import DAY_US, Floats, Floats32

HALF_LIVES_DAYS = (0.1, 1.0, 7.0, 30.0, 365.0)
MAX_EXPONENT = 200.0
"""Sums are kept as of a base time; it moves when 2^exponent would leave the comfortable range of a double."""


class Fading:
    """For each item the sum over its members of 2^-((now - t) / half-life)."""

    def __init__(self, half_life_us: float) -> None:
        self._half_life_us = half_life_us
        self._base_us = 0
        self._sums: Vector[np.float64] = Vector(np.float64)

    def add(self, item: int, time_us: int, sign: int) -> None:
        """Count a signal at `time_us`, or take it away again (`sign` -1)."""
        self._sums.grow(item + 1)
        exponent = (time_us - self._base_us) / self._half_life_us
        if exponent > MAX_EXPONENT:
            self._rebase(time_us)
            exponent = 0.0
        left = self._sums.values[item] + sign * 2.0**exponent
        self._sums.values[item] = max(left, 0.0)

    def _rebase(self, time_us: int) -> None:
        self._sums.values[:] *= 2.0 ** ((self._base_us - time_us) / self._half_life_us)
        self._base_us = time_us

    def at(self, now_us: int, count: int) -> Floats:
        """The sums as of `now_us`, for `count` items; as of the base time, if that is later."""
        self._sums.grow(count)
        factor = 2.0 ** min((self._base_us - now_us) / self._half_life_us, 0.0)
        return np.asarray(self._sums.values[:count] * factor)


class Popularity:
    """Columns `popular.<days>d`: log(1 + faded number of members)."""

    def __init__(self) -> None:
        self._fading = {f"popular.{days:g}d": Fading(days * DAY_US) for days in HALF_LIVES_DAYS}

    @property
    def columns(self) -> tuple[str, ...]:
        """One for each half-life."""
        return tuple(self._fading)

    def change(self, change: Change) -> None:
        """Count what came, and take away what went."""
        for fading in self._fading.values():
            for item, time_us in change.gone:
                fading.add(item, time_us, -1)
            for item, time_us in change.come:
                fading.add(item, time_us, 1)

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """The same for all members."""
        return {
            name: np.log1p(fading.at(profile.now_us, count)).astype(np.float32) for name, fading in self._fading.items()
        }
