"""The Gram matrix of histories in whole numbers, and the inverse that EASE needs, kept exact."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from reco.model.books import Change
from reco.model.growing import Square, Vector
from reco.model.parts.base import Adopt, Job, Profile
from reco.model.rows import Floats, Floats32, Ints
from reco.model.timeline import Timeline

Members = NDArray[np.signedinteger] | Floats32
BLOCK = 256
"""Rows and columns that are looked at together."""
MAX_UPDATES = 200
"""After so many updates of the inverse it is computed anew, which ends whatever error has gathered."""


class Gram:
    """counts[i, j]: members whose history has both i and j; counts[i, i]: members of i. Exact up to 2^24 members.

    Whole numbers in single precision, so that they multiply without being converted. A part without columns: it counts
    for those that score.
    """

    columns: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._counts: Square[np.float32] = Square(np.float32)
        self._members: Vector[np.float32] = Vector(np.float32)

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def counts(self) -> Floats32:
        """The matrix, as a view."""
        return self._counts.values

    @property
    def members(self) -> Floats32:
        """Its diagonal, as a view."""
        return self._members.values

    def grow(self, size: int) -> None:
        """Hold at least `size` items."""
        self._counts.grow(size)
        self._members.grow(size)

    def change(self, change: Change) -> None:
        """Take one update of one history."""
        if not change.gone and len(change.come) == 1:
            self._append(change.before, change.come[0][0])
        else:
            self._replace(change)

    def _append(self, before: Ints, item: int) -> None:
        """What nearly all updates are, and four times as fast as the general case."""
        self.grow(max(item, int(before.max(initial=-1))) + 1)
        counts = self.counts
        counts[item][before] += 1.0
        counts[:, item][before] += 1.0
        counts[item, item] += 1.0
        self.members[item] += 1.0

    def _replace(self, change: Change) -> None:
        gone = np.array([item for item, _ in change.gone], dtype=np.int64)
        come = np.array([item for item, _ in change.come], dtype=np.int64)
        kept = np.setdiff1d(change.before, gone, assume_unique=True)
        self.grow(int(max(come.max(initial=-1), change.before.max(initial=-1))) + 1)
        self._add(kept, gone, -1)
        self._add(kept, come, 1)

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """None of its own."""
        return {}

    def _add(self, kept: Ints, items: Ints, sign: int) -> None:
        counts = self.counts
        if len(kept):
            for item in items.tolist():
                counts[item, kept] += sign
                counts[kept, item] += sign
        counts[np.ix_(items, items)] += sign
        self.members[items] += sign


class Inverse:
    """P = (G + lambda I)^-1, brought up to date in batches.

    One changed history h -> h' changes G by (d s' + s d') / 2 with d = h' - h and s = h' + h: rank 2, however many
    events made it. A batch of k changed members is one Woodbury update of rank 2k (Jeunen, Van Balen, Goethals, UMUAI
    2022, doi 10.1007/s11257-021-09314-7), unless computing the inverse anew costs less. Erasing a member is h' = 0.
    """

    def __init__(self, gram: Gram, timeline: Timeline) -> None:
        self._gram = gram
        self._timeline = timeline
        self._before: dict[int, Ints] = {}
        self._updates = 0
        self._ridge = 0.0
        self.values: Floats = np.zeros((0, 0))
        self.weights: Floats32 = np.zeros((0, 0), dtype=np.float32)
        """EASE's B = I - P diag(P)^-1 without I, in single precision: rows speak, columns are spoken for."""

    @property
    def pending(self) -> int:
        """Members whose changes the inverse does not contain yet."""
        return len(self._before)

    def change(self, change: Change) -> None:
        """Remember a member's history of before its first change of this batch."""
        self._before.setdefault(change.member, change.before)

    def settle(self) -> None:
        """Bring the inverse up to date. Takes time in proportion to items^2 x changed members, or items^3 at most."""
        self.settling()()()

    def settling(self) -> Job:
        """The same as a job: it contains what was changed until now, and what changes meanwhile waits for the next."""
        before, self._before = self._before, {}
        size, ridge = len(self._gram), ridge_of(self._gram.members)
        if ridge != self._ridge or 4 * len(before) > size or self._updates >= MAX_UPDATES:
            return self._refitting(ridge)
        return self._updating(self._changed(before, size), size)

    def _refitting(self, ridge: float) -> Job:
        matrix = self._gram.counts.astype(np.float64)
        self.values, self._ridge = np.zeros((0, 0)), 0.0  # it is large, and only what scores is needed meanwhile

        def work() -> Adopt:
            matrix[np.diag_indices_from(matrix)] += ridge
            matrix[:] = np.linalg.inv(matrix)
            _symmetric(matrix)
            return partial(self._adopt, matrix, _weights(matrix), ridge, 0)

        return work

    def _changed(self, before: dict[int, Ints], size: int) -> Floats:
        """Rows d of all members whose history is now another one, and below them rows s."""
        changed = [
            (was, now)
            for member, was in before.items()
            if set(was.tolist()) != set((now := self._timeline.sequence(member)).tolist())
        ]
        factors = np.zeros((2 * len(changed), size))
        for at, (was, now) in enumerate(changed):
            factors[at, now] += 1
            factors[at, was] -= 1
            factors[len(changed) + at, now] += 1
            factors[len(changed) + at, was] += 1
        return factors

    def _updating(self, factors: Floats, size: int) -> Job:
        values, ridge, updates = self.values, self._ridge, self._updates

        def work() -> Adopt:
            larger = _extended(values, size, ridge)
            if not len(factors):
                return partial(self._adopt, larger, _weights(larger), ridge, updates)
            moved = factors @ larger
            swap = np.kron(np.array([[0.0, 2.0], [2.0, 0.0]]), np.eye(len(factors) // 2))
            step = moved.T @ np.linalg.solve(swap + moved @ factors.T, moved)
            _symmetric(step)
            np.subtract(larger, step, out=step)
            return partial(self._adopt, step, _weights(step), ridge, updates + 1)

        return work

    def _adopt(self, values: Floats, weights: Floats32, ridge: float, updates: int) -> None:
        self.values, self.weights, self._ridge, self._updates = values, weights, ridge, updates


def _symmetric(matrix: Floats) -> None:
    """Give both halves their mean, in place: at 10,000 items a copy is 0.8 GB."""
    for at in range(0, len(matrix), BLOCK):
        rows, columns = matrix[at : at + BLOCK, at:], matrix[at:, at : at + BLOCK]
        mean = (rows + columns.T) / 2
        rows[:], columns[:] = mean, mean.T


def _weights(inverse: Floats) -> Floats32:
    return np.divide(inverse, -inverse.diagonal(), dtype=np.float32, casting="same_kind")


def _extended(values: Floats, size: int, ridge: float) -> Floats:
    """With more items, which are independent of all others until a history has them."""
    old = len(values)
    if size <= old:
        return values
    larger = np.zeros((size, size))
    larger[:old, :old] = values
    larger[np.arange(old, size), np.arange(old, size)] = 1.0 / ridge
    return larger


def ridge_of(members: Members) -> float:
    """Lambda by rule: the mean number of members of an item with any, times 6, to the nearest power of 2.

    It moves with the size of the data only, in steps, so that the inverse seldom has to be computed anew.
    """
    held = members[members > 0]
    mean = float(held.mean()) if len(held) else 1.0
    return float(2.0 ** np.round(np.log2(6.0 * mean)))
