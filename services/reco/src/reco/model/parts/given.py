"""Vectors that are trained elsewhere, for example by LightFM. They carry new contents and members.

A member's vector is the mean of the vectors of the contents in the profile, the newest with the greatest weight: it
moves with every step that the member takes, which no trained vector does. For a member without such contents it is what
the chosen interests say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np

from reco.model.books import Change
from reco.model.parts.base import Profile
from reco.model.rows import Floats32, Item

HALF_LIFE = 5.0
"""So many newer items of a profile, and one counts half."""


class Vectors(Protocol):
    """Trained vectors of `dimensions` finite numbers; the last number of an item's is its bias."""

    @property
    def dimensions(self) -> int:
        """Numbers of an item's vector, with the bias."""

    def item(self, item: Item) -> Floats32 | None:
        """The vector of a content, new ones too; None if nothing is known of it."""

    def chosen(self, interests: Iterable[str]) -> Floats32 | None:
        """The vector, without bias, of a member of whom only chosen tags are known; None if none of them is known."""


class Given:
    """`given`: bias plus the dot product of the member's and the item's vectors; nothing until vectors are given."""

    columns = ("given",)

    def __init__(self) -> None:
        self._vectors: Vectors | None = None
        self._rows: dict[int, Item] = {}
        self._matrix = np.zeros((0, 1), dtype=np.float32)
        self._known = np.zeros(0, dtype=np.bool_)

    @property
    def vectors(self) -> Vectors | None:
        """Those in use."""
        return self._vectors

    def give(self, vectors: Vectors) -> None:
        """Use these vectors from now on. Takes time in proportion to the items."""
        self._vectors = vectors
        self._matrix = np.zeros((0, vectors.dimensions), dtype=np.float32)
        self._known = np.zeros(0, dtype=np.bool_)
        for item, row in self._rows.items():
            self._place(item, row)

    def take(self, item: int, row: Item) -> None:
        """Set what an item is about."""
        self._rows[item] = row
        self._place(item, row)

    def change(self, change: Change) -> None:
        """Histories change nothing about given vectors."""

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """Items without a vector get the lowest score of those with one."""
        member = self._member(profile)
        if member is None or not self._known.any():
            return {}
        size = min(count, len(self._known))
        known = self._known[:size]
        scores = self._matrix[:size, :-1] @ member + self._matrix[:size, -1]
        if not known.any() or not np.isfinite(scores).all():
            return {}
        found = np.full(count, scores[known].min(), dtype=np.float32)
        found[:size][known] = scores[known]
        return {"given": found}

    def _member(self, profile: Profile) -> Floats32 | None:
        if self._vectors is None:
            return None
        inside = profile.items < len(self._known)
        had = inside & self._known[np.where(inside, profile.items, 0)] if len(self._known) else np.zeros(0, np.bool_)
        if not had.any():
            return self._vectors.chosen(profile.interests)
        weights = profile.recency(HALF_LIFE)[had]
        return np.asarray(weights @ self._matrix[profile.items[had], :-1] / weights.sum(), dtype=np.float32)

    def _place(self, item: int, row: Item) -> None:
        if self._vectors is None:
            return
        if item >= len(self._known):
            room = max(item + 1, 2 * len(self._known)) - len(self._known)
            self._matrix = np.pad(self._matrix, ((0, room), (0, 0)))
            self._known = np.pad(self._known, (0, room))
        vector = self._vectors.item(row)
        self._known[item] = vector is not None
        self._matrix[item] = 0.0 if vector is None else vector
