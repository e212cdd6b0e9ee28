"""Peers that learn factors: implicit's ALS and BPR, and LightFM, each with the member's side live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from lightfm import LightFM
from scipy.sparse import coo_matrix, csr_matrix

from bench.peers.recommending_scoring import Floats, Refitting, recent

FACTORS = 64
ALS_REGULARISATION, ALS_ALPHA, ALS_ROUNDS = 20.0, 10.0, 10
BPR_RATE, BPR_REGULARISATION, BPR_ROUNDS = 0.05, 0.01, 30
LIGHTFM_FIRST_ROUNDS, LIGHTFM_ROUNDS = 30, 3


class Factors(Refitting):
    """Fits to a matrix of members and items."""

    def pairs(self, shape: tuple[int, int] | None = None) -> Any:
        """All events as a sparse matrix of ones: members x items."""
        members, items = (np.array([one[at] for one in self.taken], dtype=np.int32) for at in (0, 1))
        ones = np.ones(len(self.taken), dtype=np.float32)
        return coo_matrix((ones, (members, items)), shape or (len(self.members), len(self.items)))


class Als(Factors):
    """implicit's ALS; a member's factors are solved for, at each ranking, from a live profile (`recalculate_user`)."""

    name = "implicit-als"

    def fit(self) -> None:
        """All items' and members' factors anew."""
        self._model = AlternatingLeastSquares(
            factors=FACTORS, regularization=ALS_REGULARISATION, alpha=ALS_ALPHA, iterations=ALS_ROUNDS, num_threads=1,
            random_state=self.seed,
        )  # fmt: skip
        self._model.fit(self.pairs().tocsr(), show_progress=False)

    def fitted(self, history: Sequence[int]) -> Floats:
        """The items' factors times those that the profile gives."""
        factors = self._model.item_factors
        items, weights = recent(history, len(factors))
        profile = csr_matrix((weights, items, [0, len(items)]), shape=(1, len(factors)))
        return np.asarray(factors @ self._model.recalculate_user(0, profile))


class Bpr(Factors):
    """implicit's BPR. It cannot solve for a member's factors: a live profile's mean item stands for the member."""

    name = "implicit-bpr"

    def fit(self) -> None:
        """All factors anew."""
        model = BayesianPersonalizedRanking(
            factors=FACTORS, learning_rate=BPR_RATE, regularization=BPR_REGULARISATION, iterations=BPR_ROUNDS,
            num_threads=1, random_state=self.seed,
        )  # fmt: skip
        model.fit(self.pairs().tocsr(), show_progress=False)
        self._vectors, self._biases = model.item_factors[:, :-1], model.item_factors[:, -1]
        self._length = float(np.median(np.linalg.norm(model.user_factors[:, :-1], axis=1)))

    def fitted(self, history: Sequence[int]) -> Floats:
        """By the profile's direction, as long as a member's factors are; by biases alone without a profile."""
        return _live(self._vectors, self._biases, self._length, history)


class LightFm(Factors):
    """LightFM by WARP: `fit_partial` every 1,000 events, and a live profile's mean item for the member."""

    name = "lightfm"

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._shape = 0, 0

    def fit(self) -> None:
        """One more round; the first time, and when the ids outgrow the model, thirty from the beginning."""
        if self._shape[0] < len(self.members) or self._shape[1] < len(self.items):
            self._shape = 2 * len(self.members), 2 * len(self.items)  # it cannot grow: room for as many again
            self._model = LightFM(no_components=FACTORS, loss="warp", random_state=self.seed)
            self._model.fit_partial(self.pairs(self._shape), epochs=LIGHTFM_FIRST_ROUNDS, num_threads=1)
        else:
            self._model.fit_partial(self.pairs(self._shape), epochs=LIGHTFM_ROUNDS, num_threads=1)
        known, members = len(self.items), self._model.user_embeddings[: len(self.members)]
        self._vectors, self._biases = self._model.item_embeddings[:known], self._model.item_biases[:known]
        self._length = float(np.median(np.linalg.norm(members, axis=1)))

    def fitted(self, history: Sequence[int]) -> Floats:
        """As for BPR."""
        return _live(self._vectors, self._biases, self._length, history)


def _live(vectors: Floats, biases: Floats, length: float, history: Sequence[int]) -> Floats:
    items, weights = recent(history, len(vectors))
    profile = weights @ vectors[items]
    return np.asarray(biases + vectors @ profile * (length / max(float(np.linalg.norm(profile)), 1e-9)))
