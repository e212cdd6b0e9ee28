"""What content is about: tags, category, creator and kind. It carries new content."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reco.model.books import Change
from reco.model.growing import Vector
from reco.model.ids import Ids
from reco.model.parts.base import Profile
from reco.model.parts.gather import summed
from reco.model.parts.linear import weighted
from reco.model.rows import Floats, Floats32, Ints, Item

MAX_FEATURES = 1_000_000
MAX_FEATURES_PER_ITEM = 64
MAX_ITEMS_PER_FEATURE = 20_000
"""A feature that so many items have says nothing, and would cost much."""
LEAST_IDF = 0.1
"""What more than nine of ten items have says nothing."""
_NONE = np.empty(0, dtype=np.int64)


class Content:
    """`content.near`: cosine of the profile's features and the item's, each feature weighted by its rarity (idf)."""

    columns = ("content.near",)

    def __init__(self) -> None:
        self._features = Ids(MAX_FEATURES)
        self._of_item: dict[int, Ints] = {}
        self._items_of: list[dict[int, None]] = []
        self._arrays: dict[int, Ints] = {}
        self._sizes: Vector[np.float64] = Vector(np.float64)

    def take(self, item: int, row: Item) -> None:
        """Set what an item is about."""
        for feature in self._of_item.get(item, _NONE).tolist():
            del self._items_of[feature][item]
            self._arrays.pop(feature, None)
        found = [self._features.numbered(name) for name in sorted(set(_names(row)))[:MAX_FEATURES_PER_ITEM]]
        features = [one for one in found if one is not None]
        self._of_item[item] = np.array(features, dtype=np.int64)
        self._sizes.grow(item + 1)
        self._sizes.values[item] = len(features)
        for feature in features:
            while feature >= len(self._items_of):
                self._items_of.append({})
            self._items_of[feature][item] = None
            self._arrays.pop(feature, None)

    def change(self, change: Change) -> None:
        """Histories change nothing about content."""

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """Empty if nothing is known of the profile's items and interests."""
        wanted, weights = self._wanted(profile)
        sizes = np.array([len(self._items_of[feature]) for feature in wanted.tolist()], dtype=np.int64)
        idf = np.log((count + 1.0) / np.maximum(sizes, 1))
        telling = (sizes <= MAX_ITEMS_PER_FEATURE) & (idf >= LEAST_IDF)
        if not telling.any():
            return {}
        every = np.concatenate([self._items(feature) for feature in wanted[telling].tolist()])
        value = np.repeat((weights * idf**2)[telling], sizes[telling])
        return {"content.near": summed(every, value, count) / self._lengths(count)}

    def _wanted(self, profile: Profile) -> tuple[Ints, Floats]:
        """The features that the profile's items and interests have, and how much each is wanted."""
        items, weights = weighted(profile, (10.0,))
        features = [self._of_item.get(item, _NONE) for item in items.tolist()]
        chosen = self._chosen(profile.interests)
        sizes = np.array([len(one) for one in features], dtype=np.int64)
        each = np.repeat(weights[0] / np.sqrt(np.maximum(sizes, 1)), sizes)
        given = np.full(len(chosen), 1.0 / np.sqrt(max(len(profile.interests), 1)))
        found, at = np.unique(np.concatenate([*features, chosen]), return_inverse=True)
        weighed = np.bincount(at, weights=np.concatenate([each, given]), minlength=len(found))
        return found, weighed.astype(np.float64)

    def _chosen(self, interests: tuple[str, ...]) -> Ints:
        found = (self._features.number(f"tag:{tag}") for tag in interests)
        known = [one for one in found if one is not None and one < len(self._items_of) and self._items_of[one]]
        return np.array(known, dtype=np.int64)

    def _items(self, feature: int) -> Ints:
        if feature not in self._arrays:
            self._arrays[feature] = np.fromiter(self._items_of[feature], dtype=np.int64)
        return self._arrays[feature]

    def _lengths(self, count: int) -> Floats32:
        self._sizes.grow(count)
        return np.sqrt(np.maximum(self._sizes.values[:count], 1.0)).astype(np.float32)


def _names(row: Item) -> list[str]:
    names = [f"tag:{tag}" for tag in row.tags]
    names += [f"category:{row.category}"] if row.category else []
    names += [f"creator:{row.creator_id}"] if row.creator_id else []
    names += [f"kind:{row.kind}"] if row.kind else []
    return names
