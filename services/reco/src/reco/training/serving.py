"""What servers make of trained factors: vectors for contents and members, new ones too, for the model. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from reco.model.rows import Floats32, Item
from reco.training.factors import Trained, Vectors
from reco.training.features import Weights, of_interests, of_item


class Serving:
    """Trained factors, ready to be asked."""

    def __init__(self, trained: Trained) -> None:
        self.dimensions = trained.dimensions
        self._items, self._features, self._tastes = map(_Rows, (trained.items, trained.features, trained.tastes))

    def item(self, item: Item) -> Floats32 | None:
        """The vector of a content, with the bias as its last number; that of a new one is the sum of its features'.
        None for a new one of which no feature is known."""
        known = self._items.row(item.content_id)
        return self._features.sum(of_item(item)) if known is None else known

    def chosen(self, interests: Iterable[str]) -> Floats32 | None:
        """The vector of a member of whom no more is known than chosen tags; None if none of them is known."""
        found = self._tastes.sum(of_interests(interests))
        return None if found is None else found[:-1]


class _Rows:
    """Vectors by name."""

    def __init__(self, vectors: Vectors) -> None:
        self._matrix = vectors.matrix
        self._row_of = {name: row for row, name in enumerate(vectors.names)}

    def row(self, name: str) -> Floats32 | None:
        row = self._row_of.get(name)
        return None if row is None else self._matrix[row]

    def sum(self, weights: Weights) -> Floats32 | None:
        known = {self._row_of[name]: weight for name, weight in weights.items() if name in self._row_of}
        if not known:
            return None
        rows, shares = list(known), np.array(list(known.values()), dtype=np.float32)
        return np.asarray(shares @ self._matrix[rows], dtype=np.float32)
