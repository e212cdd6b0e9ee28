"""What came next, and what came close by, after the member's newest items in the histories of others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reco.model.books import Change
from reco.model.parts.base import Profile
from reco.model.parts.gather import Anchors, anchors, summed
from reco.model.rows import DAY_US, SECOND_US, Floats, Floats32, Ints
from reco.model.timeline import Timeline

ANCHORS = 6
AHEAD = 12
BEHIND = 8
CLOSE_US = 30 * SECOND_US
FADE_US = 30 * DAY_US
OFFSETS = np.arange(-BEHIND, AHEAD + 1)
NEARNESS = 0.8 ** np.abs(OFFSETS)
STEP_FALL = 0.6 ** np.arange(ANCHORS + AHEAD + BEHIND + 2)


class Transitions:
    """Markov chains of several forms, read from the timeline; all are shares of the anchor's members, and older
    anchors count less.

    `next`: the item straight after; `after`: those ahead, nearer counts more; `around`: the same in both directions;
    `step`: as far ahead as the anchor lies back, counted in moments (steps of one second are one moment); `lately`:
    `around`, and of late counts more; `close`, `session`: before or after within 30 and 300 seconds.
    """

    columns = tuple(f"markov.{form}" for form in ("next", "after", "around", "step", "lately", "close", "session"))

    def __init__(self, timeline: Timeline, max_postings: int) -> None:
        self._timeline = timeline
        self._max_postings = max_postings

    def change(self, change: Change) -> None:
        """Nothing is counted ahead."""

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """Empty for a member without history."""
        line = self._timeline
        found = anchors(line, profile.items[:ANCHORS], self._max_postings)
        if not len(found.places):
            return {}
        owners, here = line.owners[found.places], found.places[:, None]
        places = here + OFFSETS
        inside = (places >= line.starts[owners][:, None]) & (places < line.ends[owners][:, None])
        places = np.where(inside, places, here)
        times = line.times[places]
        items = np.where(inside & (OFFSETS != 0), line.items[places], count).ravel()
        weights = self._weights(profile, found, times)
        return {f"markov.{form}": summed(items, weight.ravel(), count) for form, weight in weights.items()}

    def _weights(self, profile: Profile, found: Anchors, times: Ints) -> dict[str, Floats]:
        """By form, anchor's places x offsets."""
        gap = np.abs(times - times[:, BEHIND][:, None])
        share = 1.0 / (found.postings[found.which] + 5.0)
        fading = (share * 0.7**found.which)[:, None]
        around = fading * NEARNESS
        back = np.cumsum(np.diff(profile.times_us[:ANCHORS], prepend=profile.times_us[0]) < 0)[found.which]
        off_step = np.abs(_moments(times) - back[:, None] - 1)
        return {
            "next": (share * 0.5**found.which)[:, None] * (OFFSETS == 1),
            "after": around * (OFFSETS > 0),
            "around": around,
            "step": (share * 0.7**back)[:, None] * STEP_FALL[off_step],
            "lately": around * np.exp2(np.minimum((times - profile.now_us) / FADE_US, 0.0), dtype=np.float32),
            "close": fading * (gap <= CLOSE_US),
            "session": fading * (gap <= 10 * CLOSE_US),
        }


def _moments(times: Ints) -> Ints:
    """How many other moments each time of a row lies ahead of the one at offset 0; negative before it."""
    counted = np.cumsum(np.diff(times, axis=1, prepend=times[:, :1]) > 0, axis=1)
    return np.asarray(counted - counted[:, BEHIND][:, None])
