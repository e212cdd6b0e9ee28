"""Popularity that fades with time, at several half-lives, and what members took to at the same stage of theirs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from reco.model.books import Change
from reco.model.growing import capacity_for
from reco.model.parts.base import Profile
from reco.model.rows import DAY_US, SECOND_US, Floats, Floats32
from reco.model.timeline import Step

HALF_LIVES_DAYS = (0.1, 1.0, 7.0, 30.0, 365.0)
MAX_EXPONENT = 200.0
"""Sums are kept as of a base time; it moves when 2^exponent would leave the comfortable range of a double."""
LARGEST = 1e30


def _clock_us() -> int:
    return time.time_ns() // 1_000


class Popularity:
    """Columns `popular.<days>d`: log(1 + sum over the item's members of 2^-((now - t) / half-life)).

    What is dated later than this machine's clock counts from its time on: a server whose clock ran years ahead would
    otherwise move the base time there, and all that is counted by the short half-lives would be nothing beside it.
    """

    columns = tuple(f"popular.{days:g}d" for days in HALF_LIVES_DAYS)

    def __init__(self, clock_us: Callable[[], int] = _clock_us) -> None:
        self._clock_us = clock_us
        self._later: Counter[Step] = Counter()
        self._half_lives_us = np.array(HALF_LIVES_DAYS) * DAY_US
        self._bases_us = np.zeros(len(HALF_LIVES_DAYS))
        self._kept: tuple[tuple[int, int], dict[str, Floats32]] | None = None
        self._sums: Floats = np.zeros((len(HALF_LIVES_DAYS), 0))

    def change(self, change: Change) -> None:
        """Count what came, and take away what went."""
        self._kept = None
        self._add(self._kept_out(change.gone, -1), -1.0)
        self._add(self._kept_out(change.come, 1), 1.0)

    def _kept_out(self, steps: Sequence[Step], sign: int) -> Sequence[Step]:
        """Note those of later; the others. One that was noted goes from there, even if its time has come."""
        now_us = self._clock_us()
        noted = [step for step in steps if (step[1] > now_us if sign > 0 else step in self._later)]
        if not noted:
            return steps
        for step in noted:
            self._later[step] += sign
            if not self._later[step]:
                del self._later[step]
        apart = set(noted)
        return [step for step in steps if step not in apart]

    def _catch_up(self) -> None:
        """Count those of later whose time has come."""
        now_us = self._clock_us()
        for step in [step for step in self._later if step[1] <= now_us]:
            for _ in range(self._later.pop(step)):
                self._add([step], 1.0)

    def _add(self, steps: Sequence[Step], sign: float) -> None:
        """A member has an item once, so no item comes twice in `steps`."""
        if not steps:
            return
        items, times_us = zip(*steps, strict=True)
        self._grow(max(items) + 1)
        self._rebase(max(times_us))
        exponents = (np.array(times_us) - self._bases_us[:, None]) / self._half_lives_us[:, None]
        where = np.array(items)
        self._sums[:, where] = np.maximum(self._sums[:, where] + sign * np.exp2(exponents), 0.0)

    def _rebase(self, time_us: int) -> None:
        exponents = (time_us - self._bases_us) / self._half_lives_us
        if exponents[0] > MAX_EXPONENT:  # the shortest half-life comes first
            far = exponents > MAX_EXPONENT
            self._sums[far] *= np.exp2(-exponents[far])[:, None]
            self._bases_us[far] = time_us

    def _grow(self, size: int) -> None:
        held = self._sums.shape[1]
        if size > held:
            self._sums = np.concatenate([self._sums, np.zeros((len(self._sums), capacity_for(size) - held))], axis=1)

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """The same for all members, as of the second that now lies in, and of the base time should that be later."""
        key = count, profile.now_us // SECOND_US
        if self._kept is None or self._kept[0] != key:
            self._catch_up()
            self._kept = key, self._at(count, key[1] * SECOND_US)
        return self._kept[1]

    def _at(self, count: int, now_us: int) -> dict[str, Floats32]:
        self._grow(count)
        factors = np.exp2(np.minimum((self._bases_us - now_us) / self._half_lives_us, 0.0))
        found = np.log1p(np.minimum(self._sums[:, :count] * factors[:, None], LARGEST).astype(np.float32))
        return dict(zip(self.columns, found, strict=True))
