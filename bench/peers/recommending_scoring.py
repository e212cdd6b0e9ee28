"""What every peer of the recommender shares: ids as numbers, histories, and a ranking of scores with random ties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.evaluation.files import Event
from reco.evaluation.walking import Published, chance

Floats = NDArray[np.float32]
RECENT_ITEMS = 60
HALF_LIFE_ITEMS = 5.0
"""A live profile counts an item half as much for every so many newer ones."""

HALF_LIFE_S = 30 * 86_400.0
"""A taking counts half as much for what is popular after 30 days."""
REBASE_AT = 64.0
"""Half-lives after which the clock of the decay is set anew, so that no weight overflows."""


class Taken(NamedTuple):
    """A member took to an item, by number."""

    member: int
    item: int
    unix_time: int


class Decayed:
    """Counts that fall by half every 30 days, all alike, so that only new takings need a change."""

    def __init__(self) -> None:
        self._weights = np.zeros(0)
        self._base: float | None = None

    def add(self, item: int, unix_time: int) -> None:
        """Count a taking; later ones weigh more."""
        if self._base is None:
            self._base = unix_time
        late = (unix_time - self._base) / HALF_LIFE_S
        if late > REBASE_AT:
            self._weights *= 0.5**late
            self._base, late = unix_time, 0.0
        if item >= len(self._weights):
            self._weights = np.concatenate([self._weights, np.zeros(item + 1)])
        self._weights[item] += 2.0**late

    def weights(self, size: int) -> Floats:
        """Of the first `size` items."""
        found = np.zeros(size, dtype=np.float32)
        known = self._weights[:size]
        found[: len(known)] = known
        return found


class Scoring:
    """A contestant that scores all items for a history. A peer overrides `scores` and `learned`.

    Where the scores say nothing (a member without history, items that are equal) what is popular lately decides."""

    name: ClassVar[str]

    def __init__(self, seed: int) -> None:
        self.items: dict[str, int] = {}
        self.members: dict[str, int] = {}
        self.histories: list[list[int]] = []
        """By member: items, oldest first."""
        self.taken: list[Taken] = []
        self.popularity = Decayed()
        self._had: list[list[int]] = []
        self._names: list[str] = []
        self._open = bytearray()
        """By item: 1 once it is published."""
        self._chance = chance(seed, 2)

    def scores(self, member: int, history: Sequence[int], unix_time: int) -> Floats:
        """A score for each item, for a member with a history."""
        raise NotImplementedError

    def learned(self, new: Sequence[Taken], learn: bool) -> None:
        """Events that were just added to `taken` and to the histories."""
        raise NotImplementedError

    def publish(self, contents: Sequence[Published]) -> None:
        """Contents that may be ranked from now on."""
        for one in contents:
            self._open[self._item(one.content)] = 1

    def best(self, member: str, unix_time: int, count: int) -> list[str]:
        """The best contents that are published and new to the member; what is equal in all is in random order."""
        number = self.members.get(member, -1)
        known = number >= 0
        open_ = np.frombuffer(self._open, dtype=np.uint8).copy()
        open_[self._had[number] if known else []] = 0
        eligible = np.flatnonzero(open_)
        if not len(eligible):
            return []
        history = self.histories[number] if known else []
        size = len(self.items)
        scores = self.scores(number, history, unix_time) if history else np.zeros(size, dtype=np.float32)
        keys = self._chance.random(size), -self.popularity.weights(size), -scores
        order = np.lexsort(tuple(key[eligible] for key in keys))[:count]
        return [self._names[item] for item in eligible[order].tolist()]

    def besides(self, member: str, unix_time: int, count: int) -> dict[str, Sequence[str]]:
        """A peer has no parts."""
        return {}

    def take(self, events: Sequence[Event], learn: bool) -> None:
        """Events of one moment. What speaks against an item only keeps it from being ranked again."""
        new = []
        for event in events:
            member, item = self._member(event.member), self._item(event.content)
            self._had[member].append(item)
            if event.weight > 0:
                self.histories[member].append(item)
                new.append(Taken(member, item, event.unix_time))
                self.popularity.add(item, event.unix_time)
        self.taken += new
        self.learned(new, learn)

    def _item(self, content: str) -> int:
        if content not in self.items:
            self.items[content] = len(self._names)
            self._names.append(content)
            self._open.append(0)
        return self.items[content]

    def _member(self, member: str) -> int:
        if member not in self.members:
            self.members[member] = len(self.histories)
            self.histories.append([])
            self._had.append([])
        return self.members[member]


class Refitting(Scoring):
    """A peer whose model is fitted anew once there are `every` new events. A peer overrides `fit` and `fitted`."""

    every: ClassVar[int] = 1_000

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.seed = seed
        self._fitted_at: int | None = None

    def fit(self) -> None:
        """Fit to all of `taken`."""
        raise NotImplementedError

    def fitted(self, history: Sequence[int]) -> Floats:
        """Scores of the items that were known at the fit."""
        raise NotImplementedError

    def scores(self, member: int, history: Sequence[int], unix_time: int) -> Floats:
        """By the fit, from the history as it is now; 0 for items that came after the fit."""
        found = np.zeros(len(self.items), dtype=np.float32)
        if self._fitted_at is not None:
            scores = self.fitted(history)
            found[: len(scores)] = scores
        return found

    def learned(self, new: Sequence[Taken], learn: bool) -> None:
        """Fit, the first time as soon as learning begins."""
        if learn and (self._fitted_at is None or len(self.taken) - self._fitted_at >= self.every):
            self._fitted_at = len(self.taken)
            self.fit()


def recent(history: Sequence[int], limit: int | None = None) -> tuple[NDArray[np.int64], Floats]:
    """The newest items, newest first, with weights that fall with their place; those below `limit` only."""
    items = np.array(history[: -RECENT_ITEMS - 1 : -1], dtype=np.int64)
    weights = (0.5 ** (np.arange(len(items)) / HALF_LIFE_ITEMS)).astype(np.float32)
    kept = items < (limit if limit is not None else np.inf)
    return items[kept], weights[kept]


class Square:
    """A square matrix of counts that grows by doubling."""

    def __init__(self) -> None:
        self.values: Floats = np.zeros((256, 256), dtype=np.float32)

    def reach(self, size: int) -> None:
        """Hold at least `size` rows."""
        if size > len(self.values):
            larger = np.zeros((2 * size, 2 * size), dtype=np.float32)
            larger[: len(self.values), : len(self.values)] = self.values
            self.values = larger
