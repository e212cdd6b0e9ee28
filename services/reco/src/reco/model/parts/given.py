"""Factors that are given from outside: vectors of items and of members, for example from LightFM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reco.model.books import Change
from reco.model.parts.base import Profile
from reco.model.rows import Floats32, Ints


@dataclass(frozen=True)
class Factors:
    """Vectors by number: `items` x d with a bias each, and `members` x d. `member_rows` says whose they are."""

    items: Floats32
    item_biases: Floats32
    members: Floats32
    item_rows: Ints
    member_rows: Ints


class Given:
    """`given`: bias plus the dot product of the member's and the item's vectors; nothing for anyone without."""

    columns = ("given",)

    def __init__(self) -> None:
        self._factors: Factors | None = None
        self._row_of: dict[int, int] = {}

    def give(self, factors: Factors) -> None:
        """Use these factors from now on. Raises `ValueError` if their shapes do not fit or a number is not finite."""
        if factors.items.shape[1:] != factors.members.shape[1:]:
            raise ValueError("item and member vectors have different lengths")
        if len(factors.items) != len(factors.item_rows) or len(factors.items) != len(factors.item_biases):
            raise ValueError("there must be one vector and one bias for each item")
        if len(factors.members) != len(factors.member_rows):
            raise ValueError("there must be one vector for each member")
        if not all(np.isfinite(one).all() for one in (factors.items, factors.members, factors.item_biases)):
            raise ValueError("a factor is not a finite number")
        self._factors = factors
        self._row_of = {int(member): row for row, member in enumerate(factors.member_rows)}

    def change(self, change: Change) -> None:
        """Given factors change when new ones are given."""

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """Items without a vector get the lowest score of those with one."""
        row = self._row_of.get(profile.member)
        if self._factors is None or row is None or not len(self._factors.items):
            return {}
        known = self._factors.items @ self._factors.members[row] + self._factors.item_biases
        found = np.full(count, known.min(), dtype=np.float32)
        inside = self._factors.item_rows < count
        found[self._factors.item_rows[inside]] = known[inside]
        return {"given": found}
