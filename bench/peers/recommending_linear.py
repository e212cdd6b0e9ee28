"""Peers with an item-item matrix that is solved anew every 1,000 events, on a live profile: EASE."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.peers.recommending_scoring import Floats, Refitting, recent

REGULARISATION = 300.0


class Linear(Refitting):
    """Scores a live profile, in which newer items weigh more, with the matrix that `fit` sets."""

    matrix: Floats

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.matrix = np.zeros((0, 0), dtype=np.float32)

    def fitted(self, history: Sequence[int]) -> Floats:
        """The profile times the matrix."""
        items, weights = recent(history, len(self.matrix))
        return np.asarray(weights @ self.matrix[items])


class Ease(Linear):
    """EASE (Steck, arXiv 1905.03375), from its formula."""

    name = "ease"

    def fit(self) -> None:
        """B = I - P diag(P)^-1, with P the inverse of the regularised Gram matrix."""
        gram = np.zeros((len(self.items), len(self.items)))
        for history in self.histories:
            gram[np.ix_(history, history)] += 1.0
        gram[np.diag_indices_from(gram)] += REGULARISATION
        inverse = np.linalg.inv(gram)
        self.matrix = (np.eye(len(gram)) - inverse / np.diag(inverse)).astype(np.float32)
