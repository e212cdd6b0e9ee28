"""What servers make of trained factors: vectors for contents and members, new ones too, for `model.parts.given`. Pure.

A member's vector is the mean of the vectors of the contents in the profile, the newest with the greatest weight: it
moves with every step that the member takes, which no trained vector does. For a member without such contents it is the
sum of the tastes that the chosen interests name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from reco.model.parts.base import Profile
from reco.model.parts.given import Factors
from reco.model.rows import Floats32, Item
from reco.training.factors import Trained, Vectors
from reco.training.features import Weights, of_interests, of_item

HALF_LIFE = 5.0
"""So many newer items of a profile, and one counts half."""


class Someone(NamedTuple):
    """A member as the model knows one, and the tags that the member chose."""

    profile: Profile
    interests: tuple[str, ...] = ()


class Serving:
    """Trained factors, ready to be asked."""

    def __init__(self, trained: Trained) -> None:
        self._dimensions = trained.dimensions
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

    def given(self, items: Mapping[int, Item], members: Sequence[Someone]) -> Factors:
        """The factors of contents (by the model's numbers) and of members. Who or what has no vector is left out."""
        vectors = {number: vector for number, item in items.items() if (vector := self.item(item)) is not None}
        matrix = np.array(list(vectors.values()), dtype=np.float32).reshape(len(vectors), self._dimensions)
        places = {number: place for place, number in enumerate(vectors)}
        found = {one.profile.member: self._member(one, places, matrix[:, :-1]) for one in members}
        known = {member: vector for member, vector in found.items() if vector is not None}
        return Factors(
            items=matrix[:, :-1],
            item_biases=matrix[:, -1],
            members=np.array(list(known.values()), dtype=np.float32).reshape(len(known), self._dimensions - 1),
            item_rows=np.array(list(vectors), dtype=np.int64),
            member_rows=np.array(list(known), dtype=np.int64),
        )

    def _member(self, someone: Someone, places: Mapping[int, int], vectors: Floats32) -> Floats32 | None:
        weights = someone.profile.recency(HALF_LIFE)
        had = [(places[item], weights[at]) for at, item in enumerate(someone.profile.items.tolist()) if item in places]
        if not had:
            return self.chosen(someone.interests)
        rows, shares = np.array([place for place, _ in had]), np.array([weight for _, weight in had])
        return np.asarray(shares @ vectors[rows] / shares.sum(), dtype=np.float32)


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
