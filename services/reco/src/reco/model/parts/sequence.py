"""Linear models of what follows what, fitted anew from time to time: EASE over near pairs, and regression on the next.

They are learned: not a plain function of the rows, and the same until the next `sweep`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from reco.model.books import Change
from reco.model.parts.base import Adopt, Job, Profile
from reco.model.parts.gram import ridge_of
from reco.model.parts.linear import summed_rows, weighted
from reco.model.rows import Floats32, Ints
from reco.model.timeline import Timeline

MAX_STEPS = 300
"""The newest so many steps of each history are fitted."""
NEAR_HALF = 5.0
"""In items: at this distance the part of a pair's weight that depends on nearness is a half."""
FOLLOW_HALF = 5.0
AHEAD_KEPT = 0.7
AHEAD = 10
LOCAL_HALF_LIVES = (4.0, 10.0)


class Sequences:
    """`local.<half-life>`: EASE whose pairs weigh between 1/2 (far apart) and 1 (side by side). `follow`: ridge
    regression from the faded history on the next ten steps (as SLIST does: Choi et al., arXiv 2103.16104)."""

    columns = (*(f"local.{half_life:g}" for half_life in LOCAL_HALF_LIVES), "follow.5")

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._local: Floats32 = np.zeros((0, 0), dtype=np.float32)
        self._follow: Floats32 = np.zeros((0, 0), dtype=np.float32)

    def change(self, change: Change) -> None:
        """Contained from the next sweep on."""

    def sweep(self, count: int) -> None:
        """Fit both. Takes time in proportion to items^3, and to pairs x length of history."""
        self.sweeping(count)()()

    def sweeping(self, count: int) -> Job:
        """The same as a job, over the rows as they are now."""
        line = self._timeline
        items, bounds = line.items.copy(), list(zip(line.starts.tolist(), line.ends.tolist(), strict=True))
        ridge = ridge_of(line.posted(np.arange(count)))

        def work() -> Adopt:
            histories = [items[max(start, end - MAX_STEPS) : end] for start, end in bounds if end - start > 1]
            return partial(self._adopt, _local(histories, count, ridge), _follow(histories, count, ridge))

        return work

    def _adopt(self, local: Floats32, follow: Floats32) -> None:
        self._local, self._follow = local, follow

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """Empty before the first sweep, and for a member without history."""
        items, weights = weighted(profile, (*LOCAL_HALF_LIVES, FOLLOW_HALF))
        near = summed_rows(self.columns[:-1], self._local, items, weights[:-1], count)
        return near | summed_rows(self.columns[-1:], self._follow, items, weights[-1:], count)


def _local(histories: Sequence[Ints], count: int, ridge: float) -> Floats32:
    """EASE over near pairs. One fit after the other: at 10,000 items each takes 2 GB while it lasts."""
    near = np.zeros((count, count), dtype=np.float32)
    for history in histories:
        near[np.ix_(history, history)] += NEAR[: len(history), : len(history)]
    near[np.diag_indices_from(near)] += ridge
    near = np.linalg.inv(near)
    near /= -near.diagonal().copy()
    return near


def _follow(histories: Sequence[Ints], count: int, ridge: float) -> Floats32:
    """Regression of what is ahead on the faded past."""
    past, ahead = (np.zeros((count, count), dtype=np.float32) for _ in range(2))
    for history in histories:
        where, steps = np.ix_(history, history), len(history)
        faded = FADED[:steps, :steps]
        past[where] += faded.T @ faded
        ahead[where] += faded.T @ FOLLOWING[:steps, :steps]
    past[np.diag_indices_from(past)] += ridge
    found: Floats32 = np.linalg.solve(past, ahead)
    return found


def _kernels(steps: int) -> tuple[Floats32, Floats32, Floats32]:
    """steps x steps, of which shorter histories use a corner: weights of pairs by distance; of earlier steps in the
    history before each; of the steps ahead of each."""
    away = np.arange(steps)[:, None] - np.arange(steps)
    near = 0.5 + 0.5 * 0.5 ** (np.abs(away) / NEAR_HALF)
    history = np.where(away > 0, 0.5 ** ((np.maximum(away, 1) - 1) / FOLLOW_HALF), 0.0)
    ahead = np.where((away <= 0) & (away > -AHEAD), AHEAD_KEPT ** np.clip(-away, 0, AHEAD), 0.0)
    return near.astype(np.float32), history.astype(np.float32), ahead.astype(np.float32)


NEAR, FADED, FOLLOWING = _kernels(MAX_STEPS)
