"""Outcomes that the ranker learns from: what was on offer, and which one the member took. Bounded."""

from __future__ import annotations

import numpy as np

from reco.model.ranker.net import Lists
from reco.model.rows import Floats32

WIDTH = 32
"""Candidates of one list; of longer lists a random part is kept, always with the one that was taken."""


class Replay:
    """A ring of the newest `capacity` outcomes, as half-precision numbers (capacity x 32 x features x 2 bytes)."""

    def __init__(self, capacity: int, size: int) -> None:
        self._features = np.zeros((capacity, WIDTH, size), dtype=np.float16)
        self._widths = np.zeros(capacity, dtype=np.int64)
        self._weights = np.zeros(capacity, dtype=np.float32)
        self._count = 0

    def __len__(self) -> int:
        return min(self._count, len(self._widths))

    @property
    def seen(self) -> int:
        """Outcomes ever added."""
        return self._count

    def add(self, features: Floats32, taken: int, seed: np.random.Generator, weight: float = 1.0) -> None:
        """Keep an outcome; the one that was taken stands first."""
        others = np.delete(np.arange(len(features)), taken)
        if len(others) > WIDTH - 1:
            others = seed.choice(others, WIDTH - 1, replace=False)
        at = self._count % len(self._widths)
        rows = np.concatenate([[taken], others])
        self._features[at, : len(rows)] = features[rows]
        self._widths[at], self._weights[at] = len(rows), weight
        self._count += 1

    def drawn(self, newest: int, older: int, seed: np.random.Generator) -> Lists:
        """The newest so many outcomes and a random sample of all."""
        kept = len(self)
        new = (self._count - 1 - np.arange(min(newest, kept))) % len(self._widths)
        which = np.concatenate([new, seed.integers(0, kept, older)])
        real = (np.arange(WIDTH) < self._widths[which][:, None]).astype(np.float32)
        taken = np.zeros(len(which), dtype=np.int64)
        return Lists(self._features[which].astype(np.float32), real, taken, self._weights[which])
