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
from reco.model.rows import Floats32, Ints, Item

MAX_FEATURES = 1_000_000
MAX_FEATURES_PER_ITEM = 64
MAX_ITEMS_PER_FEATURE = 20_000
"""A feature that so many items have says nothing, and would cost much."""


class Content:
    """`content.near`: cosine of the profile's features and the item's, each feature weighted by its rarity (idf)."""

    columns = ("content.near",)

    def __init__(self) -> None:
        self._features = Ids(MAX_FEATURES)
        self._of_item: dict[int, tuple[int, ...]] = {}
        self._items_of: list[dict[int, None]] = []
        self._arrays: dict[int, Ints] = {}
        self._sizes: Vector[np.float64] = Vector(np.float64)

    def take(self, item: int, row: Item) -> None:
        """Set what an item is about."""
        for feature in self._of_item.get(item, ()):
            del self._items_of[feature][item]
            self._arrays.pop(feature, None)
        found = [self._features.numbered(name) for name in sorted(set(_names(row)))[:MAX_FEATURES_PER_ITEM]]
        features = tuple(one for one in found if one is not None)
        self._of_item[item] = features
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
        items, weights = weighted(profile, (10.0,))
        wanted: dict[int, float] = {}
        for item, weight in zip(items.tolist(), weights[0].tolist(), strict=True):
            features = self._of_item.get(item, ())
            for feature in features:
                wanted[feature] = wanted.get(feature, 0.0) + weight / np.sqrt(len(features))
        for feature in self._chosen(profile.interests):
            wanted[feature] = wanted.get(feature, 0.0) + 1.0 / np.sqrt(len(profile.interests))
        wanted = {one: weight for one, weight in wanted.items() if len(self._items_of[one]) <= MAX_ITEMS_PER_FEATURE}
        if not wanted:
            return {}
        arrays = [self._items(feature) for feature in wanted]
        idf = [np.log((count + 1.0) / len(one)) for one in arrays]
        sizes = np.array([len(one) for one in arrays], dtype=np.int64)
        every = np.concatenate(arrays)
        value = np.repeat(np.array(list(wanted.values())) * np.array(idf) ** 2, sizes)
        inside = every < count
        return {"content.near": summed(every[inside], value[inside], count) / self._lengths(count)}

    def _chosen(self, interests: tuple[str, ...]) -> list[int]:
        found = (self._features.number(f"tag:{tag}") for tag in interests)
        return [one for one in found if one is not None and one < len(self._items_of) and self._items_of[one]]

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
