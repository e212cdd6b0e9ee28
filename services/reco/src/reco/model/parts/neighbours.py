"""Members with a similar history, and sessions that went the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from reco.model.books import Change
from reco.model.growing import Vector
from reco.model.parts.base import Profile
from reco.model.parts.gather import Anchors, anchors, summed
from reco.model.rows import Floats, Floats32, Ints
from reco.model.timeline import Timeline, spans

USER_ANCHORS = 40
SESSION_ANCHORS = 10
NEIGHBOURS = 100
NEWEST = 200
"""So many of a neighbour's items are looked at, around the newest match for sessions."""
USER_HALF_LIFE = 20.0
SESSION_HALF_LIFE = 3.0
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
        self._shared: Vector[np.float64] = Vector(np.float64)
        self._first: Vector[np.int64] = Vector(np.int64)

    def change(self, change: Change) -> None:
        """Nothing is counted ahead."""

    def scores(self, profile: Profile, count: int) -> Mapping[str, Floats32]:
        """Empty for a member without history."""
        if not len(profile.items):
            return {}
        found = anchors(self._timeline, profile.items[:USER_ANCHORS], self._max_postings)
        users = self._near(found, profile.recency(USER_HALF_LIFE), profile.member)
        newest = int(found.postings[:SESSION_ANCHORS].sum())
        first = Anchors(found.places[:newest], found.which[:newest], found.postings[:SESSION_ANCHORS])
        sessions = self._near(first, profile.recency(SESSION_HALF_LIFE), profile.member)
        return {"users.knn": self._users(users, count), "sessions.near": self._sessions(sessions, count)}

    def _users(self, near: _Near, count: int) -> Floats32:
        line = self._timeline
        ends = line.ends[near.members]
        sizes = np.minimum(ends - line.starts[near.members], NEWEST)
        return summed(line.items[spans(ends - sizes, sizes)], np.repeat(near.similarity, sizes), count)

    def _sessions(self, near: _Near, count: int) -> Floats32:
        line = self._timeline
        first = np.maximum(near.match - NEWEST // 4, line.starts[near.members])
        sizes = np.minimum(near.match + NEWEST // 2, line.ends[near.members]) - first
        places = spans(first, sizes)
        away = np.abs(places - np.repeat(near.match, sizes))
        weights = np.repeat(near.similarity, sizes) * np.exp(-away / REACH)
        return summed(line.items[places], weights, count)

    def _near(self, found: Anchors, weights: Floats, member: int) -> _Near:
        """The members that share most of the anchors, weighted, against the root of the length of their histories."""
        line = self._timeline
        owners = line.owners[found.places]
        said = weights[: len(found.postings)] / np.sqrt(found.postings + 1.0)
        met, shared = self._met(owners, said[found.which])
        members, match = owners[met], found.places[met]  # where several match, the member's newest item decides
        similarity = shared / np.sqrt(line.ends[members] - line.starts[members] + 10.0)
        similarity[members == member] = 0.0  # a member is no neighbour of its own
        best = np.argpartition(-similarity, min(NEIGHBOURS, len(members)) - 1)[:NEIGHBOURS] if len(members) else met
        best = best[similarity[best] > 0]
        return _Near(members[best], similarity[best], match[best])

    def _met(self, owners: Ints, weights: Floats) -> tuple[Ints, Floats]:
        """For each owner the index of its first mention, and the sum of its weights. Takes time in proportion to the
        mentions, however many members there are: sums and indices have a room for each, which is left as it was."""
        size = len(self._timeline.starts)
        self._shared.grow(size)
        self._first.grow(size)
        sums, first = self._shared.values, self._first.values
        first[owners[::-1]] = np.arange(len(owners) - 1, -1, -1)
        met = np.flatnonzero(first[owners] == np.arange(len(owners)))
        np.add.at(sums, owners, weights)
        found = sums[owners[met]]
        sums[owners[met]] = 0.0
        return met, found
