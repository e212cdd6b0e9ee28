"""Predict, then learn (Vinagre, Jorge, Gama, arXiv 1504.08175): a stream is judged as a service meets it.

The walk knows nothing of who ranks, so that whoever is to be compared walks the same order of the same events.
"""

from __future__ import annotations

import typing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal, NamedTuple

import numpy as np

from reco.evaluation.files import Event
from reco.evaluation.marks import HITS_AT, NDCG_AT, means
from reco.evaluation.outcomes import Outcome, Outcomes

Variant = Literal["strict", "usual"]
Clock = Callable[[], float]
"""Seconds of processor time so far."""


class Published(NamedTuple):
    """A content, and the second from which on it may be ranked."""

    content: str
    unix_time: int


class Contestant(typing.Protocol):
    """Whoever ranks. It ranks only contents that were published and that the member has no event with."""

    @property
    def name(self) -> str:
        """What its ranks are called by."""

    def publish(self, contents: Sequence[Published]) -> None:
        """Contents that may be ranked from now on, each told once."""

    def best(self, member: str, unix_time: int, count: int) -> Sequence[str]:
        """The best `count` contents for a member, best first; equal ones in random order."""

    def besides(self, member: str, unix_time: int, count: int) -> Mapping[str, Sequence[str]]:
        """By name: what parts of the contestant would rank best. Its time is not measured."""

    def take(self, events: Sequence[Event], learn: bool) -> None:
        """Events that happened at once. Without `learn`, what ranks need not be brought up to date yet."""


@dataclass(frozen=True)
class Protocol:
    """`warm_up`: share of the events before the first that is scored; `learn_from`: share before `learn` is given.

    strict: nothing of the current second is known or learned before the second is over. usual: each event is known to
    the next.
    """

    variant: Variant
    warm_up: float
    learn_from: float


@dataclass
class Run:
    """What one walk found. `shown`: by name, the contents that stood in a top ten. Times are of the processor."""

    outcomes: Outcomes = field(default_factory=Outcomes)
    shown: dict[str, set[str]] = field(default_factory=dict)
    events: int = 0
    score_s: float = 0.0
    update_s: float = 0.0
    updated: int = 0

    @property
    def scored(self) -> int:
        """Events that were predicted."""
        return len(self.outcomes.keys)

    def marks(self, items: int) -> dict[str, dict[str, float]]:
        """By name: means over outcomes, and the share of `items` that stood in a top ten."""
        return {
            name: {**means(self.outcomes.of(name)), "coverage": len(self.shown[name]) / max(items, 1)}
            for name in self.outcomes.ranks
        }

    def cost(self) -> dict[str, float]:
        """Milliseconds of processor time for each ranking, and for each event learned from."""
        return {
            "score_ms": 1e3 * self.score_s / max(self.scored, 1),
            "update_ms": 1e3 * self.update_s / max(self.updated, 1),
        }


def shuffled(events: Sequence[Event], seed: np.random.Generator) -> list[Event]:
    """Events by time, those of one second in random order; of a repeated member and content the first only, as the
    later ones are updates and no new events to predict."""
    order = seed.permutation(len(events))
    first: dict[tuple[str, str], Event] = {}
    for event in sorted((events[at] for at in order.tolist()), key=lambda one: one.unix_time):
        first.setdefault((event.member, event.content), event)
    return list(first.values())


def chance(seed: int, use: int) -> np.random.Generator:
    """Chance of one walk. Use 0 is the order of the events, so that all contestants meet the same one."""
    return np.random.default_rng([seed, use])


class Walk:
    """One walk of one contestant over events."""

    def __init__(self, protocol: Protocol, contestant: Contestant, seed: int, clock: Clock) -> None:
        self.protocol = protocol
        self.run = Run()
        self._contestant = contestant
        self._chance = chance(seed, 0)
        self._clock = clock
        self._known: set[str] = set()
        self._members: Counter[str] = Counter()
        self._items: Counter[str] = Counter()
        self._coming: list[Published] = []

    def over(self, events: Sequence[Event], published: Mapping[str, int] | None = None) -> Iterator[Run]:
        """Walk; yields the state of the run after each group of events, for whoever shows progress.

        `published`: when contents were, in seconds; others are known from their first event on."""
        ordered = shuffled(events, self._chance)
        coming = (Published(content, at) for content, at in (published or {}).items())
        self._coming = sorted(coming, key=lambda one: one.unix_time, reverse=True)
        warm, learn = (int(share * len(ordered)) for share in (self.protocol.warm_up, self.protocol.learn_from))
        for group in self._groups(ordered):
            self._publish(group[0].unix_time)
            if self.run.events >= warm:
                self._score(group)
            self._take(group, self.run.events >= learn)
            yield self.run

    def _groups(self, events: Sequence[Event]) -> Iterator[list[Event]]:
        if self.protocol.variant == "usual":
            return ([event] for event in events)
        return (list(group) for _, group in groupby(events, key=lambda one: one.unix_time))

    def _publish(self, now: int) -> None:
        new = []
        while self._coming and self._coming[-1].unix_time <= now:
            one = self._coming.pop()
            if one.content not in self._known:
                new.append(one)
        self._tell(new)

    def _tell(self, new: Sequence[Published]) -> None:
        self._known.update(one.content for one in new)
        if new:
            self._contestant.publish(new)

    def _score(self, group: Sequence[Event]) -> None:
        for at, event in enumerate(group):
            if event.weight > 0:
                self._outcome(self.run.events + at, event)

    def _outcome(self, place: int, event: Event) -> None:
        began = self._clock()
        best = self._contestant.best(event.member, event.unix_time, HITS_AT)
        self.run.score_s += self._clock() - began
        ranked = {
            self._contestant.name: best,
            **self._contestant.besides(event.member, event.unix_time, HITS_AT),
        }
        known = self._members[event.member], self._items[event.content]
        self.run.outcomes.add(Outcome(place, event.member, event.content, event.unix_time, *known), ranked)
        for name, contents in ranked.items():
            self.run.shown.setdefault(name, set()).update(contents[:NDCG_AT])

    def _take(self, group: Sequence[Event], learn: bool) -> None:
        first = {event.content: event.unix_time for event in group if event.content not in self._known}
        began = self._clock()
        self._contestant.take(group, learn)
        self._tell([Published(content, at) for content, at in first.items()])
        if learn:
            self.run.updated += len(group)
            self.run.update_s += self._clock() - began
        self._members.update(event.member for event in group)
        self._items.update(event.content for event in group)
        self.run.events += len(group)
