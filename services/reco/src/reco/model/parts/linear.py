"""Item sides that are linear in the profile: EASE and cosine."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reco.model.books import Change
from reco.model.parts.base import Profile
from reco.model.parts.gram import Gram, Inverse
from reco.model.rows import Floats, Floats32, Ints

HALF_LIVES = (3.0, 10.0, 40.0)
"""In items: how fast the weight of a profile's items falls, from the newest on."""
DISLIKE = -0.5
"""Weight of a disliked item in a profile whose newest item has 1."""
MAX_DISLIKED = 20
LEAST_WEIGHT = 0.02
"""Of the greatest."""


def weighted(profile: Profile, half_lives: tuple[float, ...]) -> tuple[Ints, Floats]:
    """The items that speak for or against others, and their weights: half-lives x items."""
    disliked = profile.disliked[:MAX_DISLIKED]
    likes = np.stack([profile.recency(half_life) for half_life in half_lives])
    against = np.full((len(half_lives), len(disliked)), DISLIKE)
    return np.concatenate([profile.items, disliked]), np.concatenate([likes, against], axis=1)


def loudest(votes: Floats | Floats32, voters: Ints) -> Ints:
    """For each column of votes (voters x items) the voter with the highest vote; -1 if none is above 0."""
    if not len(voters):
        return np.full(votes.shape[1], -1, dtype=np.int64)
    return np.where(votes.max(axis=0) > 0, voters[votes.argmax(axis=0)], -1)


def summed_rows(
    columns: tuple[str, ...], rows: Floats32, items: Ints, weights: Floats, count: int
) -> dict[str, Floats32]:
    """For each column the sum of the rows of `items` by its weights (columns x items), 0 beyond the rows' end. Nothing
    where none of the items has a row.

    Items that weigh next to nothing in all columns are left out: each row that is read costs the time of the memory."""
    heard = (items < len(rows)) & (np.abs(weights).max(axis=0) >= LEAST_WEIGHT * np.abs(weights).max(initial=0.0))
    if not heard.any():
        return {}
    found = np.zeros((len(columns), count), dtype=np.float32)
    size = min(count, len(rows))
    found[:, :size] = (weights[:, heard].astype(np.float32) @ rows[items[heard]])[:, :size]
    return dict(zip(columns, found, strict=True))


class Ease:
    """EASE (Steck, arXiv 1905.03375): B = I - P diag(P)^-1, scored for live profiles at several half-lives."""

    columns = tuple(f"ease.{half_life:g}" for half_life in HALF_LIVES)

    def __init__(self, inverse: Inverse) -> None:
        self._inverse = inverse

    def change(self, change: Change) -> None:
        """Taken by the inverse in its next batch."""
        self._inverse.change(change)

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """The profile's own items have no meaningful score; they are left out anyway."""
        items, weights = weighted(profile, HALF_LIVES)
        return summed_rows(self.columns, self._inverse.weights, items, weights, count)

    def because(self, profile: Profile, items: Ints) -> Ints:
        """For each of `items` the one of the profile that speaks most for it; -1 where none does."""
        rows = self._inverse.weights
        inside = profile.items < len(rows)
        votes = np.zeros((int(inside.sum()), len(items)))
        known = items < len(rows)
        votes[:, known] = rows[np.ix_(profile.items[inside], items[known])]
        return loudest(votes * profile.recency(HALF_LIVES[1])[inside][:, None], profile.items[inside])


class Cosine:
    """co(i, j) / sqrt(n(i) n(j)) summed over the profile at two half-lives."""

    columns = tuple(f"cosine.{half_life:g}" for half_life in HALF_LIVES[:2])

    def __init__(self, gram: Gram) -> None:
        self._gram = gram

    def change(self, change: Change) -> None:
        """Taken by the Gram matrix."""

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """Sums over the profile's items."""
        items, weights = weighted(profile, HALF_LIVES[:2])
        norm = np.zeros(max(count, len(self._gram)), dtype=np.float32)
        norm[: len(self._gram)] = 1.0 / np.sqrt(np.maximum(self._gram.members, 1.0))
        found = summed_rows(self.columns, self._gram.counts, items, weights * norm[items], count)
        return {name: scores * norm[:count] for name, scores in found.items()}
