"""Sums over places of the timeline, without loops over them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reco.model.rows import Floats, Floats32, Ints
from reco.model.timeline import Timeline


class Anchors(NamedTuple):
    """Where the newest items of a profile stand in other histories. Parallel arrays, one element per place.

    `which`: index of the anchor in the profile, 0 the newest; `postings`: for each anchor, how many places it has.
    """

    places: Ints
    which: Ints
    postings: Ints


def anchors(timeline: Timeline, items: Ints, newest: int) -> Anchors:
    """The newest so many places of each item."""
    found = [timeline.places(item, newest) for item in items.tolist()]
    sizes = np.array([len(one) for one in found], dtype=np.int64)
    places = np.concatenate(found) if found else np.empty(0, dtype=np.int64)
    return Anchors(places, np.repeat(np.arange(len(found)), sizes), sizes)


def summed(items: Ints, weights: Floats, count: int) -> Floats32:
    """For each of `count` items the sum of its weights."""
    return np.bincount(items, weights=weights, minlength=count)[:count].astype(np.float32)
