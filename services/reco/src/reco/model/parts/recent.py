"""What members took to a moment ago, counted in steps instead of days, and what they took to at the same stage."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reco.model.books import Change
from reco.model.parts.base import Profile
from reco.model.parts.gather import summed
from reco.model.rows import Floats32
from reco.model.timeline import Timeline

NEWEST = 4_000
HALF_LIFE = 1_000.0
"""In steps of all members."""


class Recent:
    """`recent.all`: share of the newest steps; `recent.stage`: of those whose member had a history about as long."""

    columns = ("recent.all", "recent.stage")

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def change(self, change: Change) -> None:
        """Nothing is counted ahead."""

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """The stage is the logarithm of the length of the history."""
        line = self._timeline
        places = line.newest(NEWEST)
        items = line.items[places]
        weights = 0.5 ** (np.arange(len(places), 0, -1) / HALF_LIFE)
        stages = np.log2(places - line.starts[line.owners[places]] + 1.0)
        same = weights * np.exp(-2.0 * np.abs(stages - np.log2(profile.length + 1.0)))
        return {
            "recent.all": np.log1p(summed(items, weights, count)),
            "recent.stage": np.log1p(summed(items, same, count)),
        }
