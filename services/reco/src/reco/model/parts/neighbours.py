"""Members with a similar history, and sessions that went the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from reco.model.books import Change
from reco.model.parts.base import Profile
from reco.model.parts.gather import anchors, spans, summed
from reco.model.rows import Floats, Floats32, Ints
from reco.model.timeline import Timeline

USER_ANCHORS = 40
SESSION_ANCHORS = 10
NEIGHBOURS = 100
NEWEST = 200
"""So many of a neighbour's items are looked at, around the newest match for sessions."""
REACH = 10.0
"""In items: how fast a session's items lose weight with distance from the match."""


class _Near(NamedTuple):
    """Neighbours: a member, its similarity, and the place of its match, as parallel arrays."""

    members: Ints
    similarity: Floats
    match: Ints


class Neighbours:
    """`users.knn`: items of members with like histories. `sessions.near`: what stands close after and before the
    newest match in histories that share the newest items (as STAN does: Garg et al., SIGIR 2019)."""

    columns = ("users.knn", "sessions.near")

    def __init__(self, timeline: Timeline, max_postings: int) -> None:
        self._timeline = timeline
        self._max_postings = max_postings

    def change(self, change: Change) -> None:
        """Nothing is counted ahead."""

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """Empty for a member without history."""
        if not len(profile.items):
            return {}
        return {"users.knn": self._users(profile, count), "sessions.near": self._sessions(profile, count)}

    def _users(self, profile: Profile, count: int) -> Floats32:
        near = self._near(profile.items[:USER_ANCHORS], profile.recency(20.0)[:USER_ANCHORS], profile.member)
        line = self._timeline
        ends = line.ends[near.members]
        sizes = np.minimum(ends - line.starts[near.members], NEWEST)
        return summed(line.items[spans(ends - sizes, sizes)], np.repeat(near.similarity, sizes), count)

    def _sessions(self, profile: Profile, count: int) -> Floats32:
        near = self._near(profile.items[:SESSION_ANCHORS], profile.recency(3.0)[:SESSION_ANCHORS], profile.member)
        line = self._timeline
        first = np.maximum(near.match - NEWEST // 4, line.starts[near.members])
        sizes = np.minimum(near.match + NEWEST // 2, line.ends[near.members]) - first
        places = spans(first, sizes)
        away = np.abs(places - np.repeat(near.match, sizes))
        weights = np.repeat(near.similarity, sizes) * np.exp(-away / REACH)
        return summed(line.items[places], weights, count)

    def _near(self, items: Ints, weights: Floats, member: int) -> _Near:
        """The members that share most of `items`, weighted, against the root of the length of their histories."""
        line = self._timeline
        found = anchors(line, items, self._max_postings)
        rarity = 1.0 / np.sqrt(found.postings + 1.0)
        owners = line.owners[found.places]
        sizes = line.ends - line.starts
        shared = np.bincount(owners, weights=(weights * rarity)[found.which], minlength=len(sizes))
        similarity: Floats = shared / np.sqrt(sizes + 10.0)
        if member >= 0:
            similarity[member] = 0.0  # a member is no neighbour of its own
        match = np.zeros(len(sizes), dtype=np.int64)
        match[owners[::-1]] = found.places[::-1]  # where several match, the member's newest item decides
        best = np.argpartition(-similarity, min(NEIGHBOURS, len(sizes) - 1))[:NEIGHBOURS]
        best = best[similarity[best] > 0]
        return _Near(best, similarity[best], match[best])
