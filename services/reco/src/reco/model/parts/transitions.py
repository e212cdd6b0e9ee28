"""What came next, and what came close by, after the member's newest items in the histories of others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reco.model.books import Change
from reco.model.parts.base import Profile
from reco.model.parts.gather import anchors, summed
from reco.model.rows import DAY_US, SECOND_US, Floats, Floats32
from reco.model.timeline import Timeline

ANCHORS = 8
AHEAD = 10
BEHIND = 5
CLOSE_US = 30 * SECOND_US
FADE_US = 30 * DAY_US
OFFSETS = np.concatenate([np.arange(-BEHIND, 0), np.arange(1, AHEAD + 1)])


class Transitions:
    """Markov chains of several forms, read from the timeline; all are shares of the anchor's members.

    `next`: the item straight after the newest; `after`: within the next ten, nearer counts more, for the newest eight;
    `soon`: the same, and sooner counts more; `lately`: the same, and of late counts more; `close`: before or after
    within thirty seconds; `lift`: `after`, divided by the root of the number of members.
    """

    columns = ("markov.next", "markov.after", "markov.soon", "markov.lately", "markov.close", "markov.lift")

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
        owners = line.owners[found.places]
        places = found.places[:, None] + OFFSETS
        inside = (places >= line.starts[owners][:, None]) & (places < line.ends[owners][:, None])
        row, column = np.nonzero(inside)
        places = places[row, column]
        items, times = line.items[places], line.times[places]
        gap = np.abs(times - line.times[found.places][row])
        which, offset = found.which[row], OFFSETS[column]
        share = 1.0 / (found.postings[which] + 5.0)
        fading = share * 0.5 ** (which / 2.0)
        ahead = np.where(offset > 0, fading / np.abs(offset), 0.0)
        after = summed(items, ahead, count)
        return {
            "markov.next": summed(items, np.where((offset == 1) & (which == 0), share, 0.0), count),
            "markov.after": after,
            "markov.soon": summed(items, ahead / (1.0 + gap / CLOSE_US), count),
            "markov.lately": summed(items, ahead * _fade(profile.now_us - times), count),
            "markov.close": summed(items, np.where(gap <= CLOSE_US, fading, 0.0), count),
            "markov.lift": after / self._rarity(count),
        }

    def _rarity(self, count: int) -> Floats32:
        members = np.fromiter((self._timeline.posted(item) for item in range(count)), dtype=np.float32, count=count)
        return np.asarray(np.sqrt(1.0 + members))


def _fade(age_us: Floats) -> Floats:
    return np.asarray(0.5 ** (np.maximum(age_us, 0) / FADE_US))
