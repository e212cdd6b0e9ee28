"""Item-item similarity and popularity over a binary member x item matrix. Pure; the service's README has the
definitions in words.

No array of the size items x items is ever made: with h the member's history and D the item counts, the scores are
D^-1/2 R'R D^-1/2 h, which takes two passes over the pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Indexes = NDArray[np.int64]
SCORE_DECIMALS = 9
"""Scores are rounded before they are compared, so that the order of additions cannot decide a tie."""


@dataclass(frozen=True)
class Matrix:
    """Pairs (member, item) as parallel arrays, each pair once.

    `candidates` marks the items that may be recommended; `id_rank` is each item's place when ids are sorted ascending.
    """

    members: Indexes
    items: Indexes
    member_count: int
    candidates: NDArray[np.bool_]
    id_rank: Indexes

    @property
    def item_count(self) -> int:
        """Columns of the matrix."""
        return len(self.candidates)

    @cached_property
    def popularity(self) -> Indexes:
        """Distinct members of each item."""
        return np.bincount(self.items, minlength=self.item_count)

    @cached_property
    def norm(self) -> NDArray[np.float64]:
        """1/sqrt(popularity) of each item; 0 if no member has it."""
        return np.where(self.popularity > 0, 1.0 / np.sqrt(np.maximum(self.popularity, 1)), 0.0)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One recommended item: its index, its score, and the reason."""

    item: int
    score: float
    reason: Literal["similar", "popular", "trending"]


def scores(matrix: Matrix, history: Indexes) -> NDArray[np.float64]:
    """For each item j the sum over i in `history` of co(i,j)/sqrt(n_i*n_j), rounded to `SCORE_DECIMALS`."""
    of_item = np.zeros(matrix.item_count)
    of_item[history] = matrix.norm[history]
    of_member = np.bincount(matrix.members, weights=of_item[matrix.items], minlength=matrix.member_count)
    summed = np.bincount(matrix.items, weights=of_member[matrix.members], minlength=matrix.item_count)
    return np.asarray(np.round(summed * matrix.norm, SCORE_DECIMALS))


def similar(matrix: Matrix, history: Indexes, excluded: Indexes, limit: int) -> list[Ranked]:
    """At most `limit` candidates with a score above 0 that are not in `excluded`, best first."""
    found = scores(matrix, history)
    eligible = matrix.candidates & (found > 0)
    eligible[excluded] = False
    best = _ordered(matrix, np.flatnonzero(eligible), found)[:limit]
    return [Ranked(int(item), float(found[item]), "similar") for item in best]


def popular(matrix: Matrix, excluded: Indexes, limit: int) -> list[Ranked]:
    """At most `limit` candidates that are not in `excluded`, those with most members first; the score is their
    number of members."""
    eligible = matrix.candidates.copy()
    eligible[excluded] = False
    best = _ordered(matrix, np.flatnonzero(eligible), np.zeros(matrix.item_count))[:limit]
    return [Ranked(int(item), float(matrix.popularity[item]), "popular") for item in best]


def trending(matrix: Matrix, weighed: NDArray[np.float64], eligible: NDArray[np.bool_], limit: int) -> list[Ranked]:
    """At most `limit` candidates that are `eligible`, by their `weighed` members, those above 0 only."""
    found = np.round(weighed, SCORE_DECIMALS)
    best = _ordered(matrix, np.flatnonzero(matrix.candidates & eligible & (found > 0)), found)[:limit]
    return [Ranked(int(item), float(found[item]), "trending") for item in best]


def similar_members(matrix: Matrix, member: int, limit: int) -> list[tuple[int, float]]:
    """At most `limit` other members v with co(u,v)/sqrt(n_u*n_v) above 0, best first, then by index; co(u,v): items
    that both had, n: items of each."""
    counts = np.bincount(matrix.members, minlength=matrix.member_count)
    mine = np.zeros(matrix.item_count)
    mine[matrix.items[matrix.members == member]] = 1.0
    shared = np.bincount(matrix.members, weights=mine[matrix.items], minlength=matrix.member_count)
    norm = np.sqrt(np.maximum(counts * counts[member], 1))
    found = np.round(shared / norm, SCORE_DECIMALS)
    found[member] = 0.0
    best = np.lexsort((np.arange(len(found)), -found))[:limit]
    return [(int(one), float(found[one])) for one in best if found[one] > 0]


def recommend(matrix: Matrix, history: Indexes, excluded: Indexes, limit: int) -> list[Ranked]:
    """Similar items; if there are fewer than `limit`, popular items with score 0 fill up the list."""
    best = similar(matrix, history, excluded, limit)
    if len(best) == limit:
        return best
    taken = np.concatenate([excluded, np.array([one.item for one in best], dtype=np.int64)])
    return best + [Ranked(one.item, 0.0, "popular") for one in popular(matrix, taken, limit - len(best))]


def _ordered(matrix: Matrix, items: Indexes, by: NDArray[np.float64]) -> Indexes:
    """Score descending, then distinct members descending, then content id ascending."""
    order = np.lexsort((matrix.id_rank[items], -matrix.popularity[items], -by[items]))
    return np.asarray(items[order])
