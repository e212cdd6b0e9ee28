"""Peers that count: decayed popularity, item-kNN by cosine, and Markov chains. Each event counts at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.peers.recommending_scoring import Floats, Scoring, Square, Taken, recent

STEPS = 20
STEP_SHARE = 0.8
"""Of a history's items, each counts so much of what the next newer one does."""
PRIOR_STEPS = 5.0


class Popularity(Scoring):
    """How often an item was taken, decayed: the same for every member."""

    name = "popularity"

    def scores(self, member: int, history: Sequence[int], unix_time: int) -> Floats:
        """Weights of the takings so far."""
        return self.popularity.weights(len(self.items))

    def learned(self, new: Sequence[Taken], learn: bool) -> None:
        """All peers count what is popular."""


class ItemKnn(Scoring):
    """Cosine between items over all members, summed over a live profile that weighs newer items more."""

    name = "item-knn"

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._together = Square()

    def scores(self, member: int, history: Sequence[int], unix_time: int) -> Floats:
        """Sum of cosines with the profile's items."""
        size = len(self.items)
        items, weights = recent(history)
        lengths = np.sqrt(np.maximum(np.diagonal(self._together.values)[:size], 1.0))
        return np.asarray((weights / lengths[items]) @ self._together.values[items, :size] / lengths)

    def learned(self, new: Sequence[Taken], learn: bool) -> None:
        """Count each with all the member had before; the diagonal holds how often an item was taken."""
        self._together.reach(len(self.items))
        together = self._together.values
        for one in new:
            history = self.histories[one.member]
            before = history[: history.index(one.item)]
            together[one.item, before] += 1
            together[before, one.item] += 1
            together[one.item, one.item] += 1


class Markov(Scoring):
    """What follows what: each item counts with the newest ten before it, the nearer the more; the same to score."""

    name = "markov"

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._after = Square()
        self._totals = np.zeros(0, dtype=np.float32)

    def scores(self, member: int, history: Sequence[int], unix_time: int) -> Floats:
        """Shares of what followed the newest items."""
        items = np.array(history[: -STEPS - 1 : -1], dtype=np.int64)
        weights = (STEP_SHARE ** np.arange(len(items))).astype(np.float32)
        weights /= self._totals[items] + PRIOR_STEPS
        return np.asarray(weights @ self._after.values[items, : len(self.items)])

    def learned(self, new: Sequence[Taken], learn: bool) -> None:
        """Count the steps to each new item."""
        self._after.reach(len(self.items))
        self._totals = np.concatenate([self._totals, np.zeros(len(self.items) - len(self._totals), np.float32)])
        for one in new:
            history = self.histories[one.member]
            at = history.index(one.item)
            for back, before in enumerate(history[max(at - STEPS, 0) : at][::-1]):
                self._after.values[before, one.item] += STEP_SHARE**back
                self._totals[before] += STEP_SHARE**back
