"""What members took to a moment ago, counted in steps instead of days, and what they took to at the same stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from reco.model.books import Change
from reco.model.parts.base import Profile
from reco.model.parts.gather import summed
from reco.model.rows import Floats, Floats32, Ints
from reco.model.timeline import Timeline

NEWEST = 4_000
HALF_LIFE = 1_000.0
"""In steps of all members."""


class _Newest(NamedTuple):
    """The newest steps of all members, as parallel arrays. `changes`: of the timeline that they were read from."""

    changes: int
    items: Ints
    weights: Floats
    stages: Floats


class Recent:
    """`recent.all`: share of the newest steps; `recent.stage`: of those whose member had a history about as long."""

    columns = ("recent.all", "recent.stage")

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._kept: _Newest | None = None

    def change(self, change: Change) -> None:
        """Nothing is counted ahead."""

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """The stage is the logarithm of the length of the history."""
        new = self._newest()
        same = new.weights * np.exp(-2.0 * np.abs(new.stages - np.log2(profile.length + 1.0)))
        return {
            "recent.all": np.log1p(summed(new.items, new.weights, count)),
            "recent.stage": np.log1p(summed(new.items, same, count)),
        }

    def _newest(self) -> _Newest:
        """The same for all members until the next change."""
        line = self._timeline
        if self._kept is None or self._kept.changes != line.changes:
            places = line.newest(NEWEST)
            weights = 0.5 ** (np.arange(len(places), 0, -1) / HALF_LIFE)
            stages = np.log2(places - line.starts[line.owners[places]] + 1.0)
            self._kept = _Newest(line.changes, line.items[places], weights, stages)
        return self._kept
