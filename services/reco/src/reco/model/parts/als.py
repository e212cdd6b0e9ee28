"""Implicit matrix factorisation (iALS) with live fold-in: the engine for many items, one part among others for few.

Hu, Koren, Volinsky, ICDM 2008; regularised by frequency as in Rendle et al., arXiv 2110.14037. Factors are learned:
they are not a plain function of the rows, and stay as they are until `sweep` is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from reco.model.books import Change
from reco.model.parts.base import Adopt, Job, Profile
from reco.model.parts.linear import loudest, weighted
from reco.model.rows import Floats, Floats32, Ints
from reco.model.timeline import Timeline, spans

DIMENSIONS = 64
UNSEEN = 0.1
"""Weight of a pair that is not there, against 1 for one that is."""
RIDGE = 0.01
HALF_LIVES = (3.0, 15.0)
BLOCK_ELEMENTS = 4_000_000
"""Bound of one block's temporary array, in numbers."""


class Als:
    """`als.<half-life>`: the dot product of the item's factors and those of the live profile."""

    columns = tuple(f"als.{half_life:g}" for half_life in HALF_LIVES)

    def __init__(self, timeline: Timeline, seed: np.random.Generator) -> None:
        self._timeline = timeline
        self._seed = seed
        self.items: Floats32 = np.zeros((0, DIMENSIONS), dtype=np.float32)
        self._square: Floats = np.zeros((DIMENSIONS, DIMENSIONS))

    def change(self, change: Change) -> None:
        """The live profile contains it at once; the factors do after the next sweep."""

    def sweep(self, count: int) -> None:
        """One pass over all members and then all items."""
        self.sweeping(count)()()

    def sweeping(self, count: int) -> Job:
        """The same as a job, over the rows as they are now."""
        items, members = _pairs(self._timeline)
        everyone = len(self._timeline.starts)
        self._extend(count)
        before = self.items

        def work() -> Adopt:
            if not len(items):
                return partial(self.restore, before)
            users = _solved(members, items, before, everyone, RIDGE)
            return partial(self.restore, _solved(items, members, users, count, RIDGE))

        return work

    def restore(self, items: Floats32) -> None:
        """Go on from these factors of the items, one row for each."""
        self.items = items.astype(np.float32)
        self._square = (self.items.T @ self.items).astype(np.float64)

    def _extend(self, count: int) -> None:
        old = len(self.items)
        if count > old:
            fresh = self._seed.normal(0.0, 0.1 / np.sqrt(DIMENSIONS), (count - old, DIMENSIONS))
            self.items = np.concatenate([self.items, fresh.astype(np.float32)])

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """Empty before the first sweep, and for a member without history."""
        items, weights = weighted(profile, HALF_LIVES)
        inside = items < len(self.items)
        if not inside.any():
            return {}
        found = np.zeros((len(HALF_LIVES), count), dtype=np.float32)
        size = min(count, len(self.items))
        folded = self._folded(items[inside], weights[:, inside])
        found[:, :size] = (folded @ self.items.T)[:, :size]
        return {name: found[at] for at, name in enumerate(self.columns)}

    def because(self, profile: Profile, items: Ints) -> Ints:
        """For each of `items` the one of the profile with the closest factors; -1 where none is close."""
        inside, known = profile.items < len(self.items), items < len(self.items)
        votes = np.zeros((int(inside.sum()), len(items)), dtype=np.float32)
        votes[:, known] = self.items[profile.items[inside]] @ self.items[items[known]].T
        return loudest(votes, profile.items[inside])

    def _folded(self, items: Ints, weights: Floats) -> Floats32:
        """A member's factors for each row of weights: one small solve each (He et al., arXiv 1708.05024)."""
        factors = self.items[items].astype(np.float64)
        base = UNSEEN * self._square + RIDGE * UNSEEN * len(self.items) * np.eye(DIMENSIONS)
        size = np.abs(weights)
        left = np.stack([base + (factors.T * one) @ factors for one in size])
        left += (RIDGE * size.sum(axis=1))[:, None, None] * np.eye(DIMENSIONS)
        return np.linalg.solve(left, (weights @ factors)[:, :, None])[:, :, 0].astype(np.float32)


def _pairs(timeline: Timeline) -> tuple[Ints, Ints]:
    total = spans(timeline.starts, timeline.ends - timeline.starts)
    return timeline.items[total], timeline.owners[total]


def _solved(rows: Ints, columns: Ints, other: Floats32, count: int, ridge: float) -> Floats32:
    """The factors of `count` rows, given those of the other side; rows without pairs get 0."""
    square = UNSEEN * (other.T @ other)
    eye = np.eye(other.shape[1], dtype=np.float32)
    found = np.zeros((count, other.shape[1]), dtype=np.float32)
    for group, members in _blocks(rows, columns, count):
        factors = other[members]
        left = square + factors.transpose(0, 2, 1) @ factors
        left += (ridge * (members.shape[1] + UNSEEN * len(other))) * eye
        found[group] = np.linalg.solve(left, factors.sum(axis=1)[:, :, None])[:, :, 0]
    return found


def _blocks(rows: Ints, columns: Ints, count: int) -> Iterator[tuple[Ints, Ints]]:
    """Rows with equally many pairs, and their columns as a matrix, in blocks of bounded size."""
    order = np.argsort(rows, kind="stable")
    columns = columns[order]
    sizes = np.bincount(rows, minlength=count)
    starts = np.cumsum(sizes) - sizes
    by_size = np.argsort(sizes, kind="stable")
    edges = np.flatnonzero(np.diff(sizes[by_size], prepend=-1))
    for first, last in zip(edges, np.append(edges[1:], count), strict=True):
        size = int(sizes[by_size[first]])
        if size == 0:
            continue
        step = max(1, BLOCK_ELEMENTS // (DIMENSIONS * max(size, DIMENSIONS)))
        for low in range(first, last, step):
            group = by_size[low : min(low + step, last)]
            yield group, columns[starts[group][:, None] + np.arange(size)]
