"""Predict, then learn (Vinagre, Jorge, Gama, arXiv 1504.08175): the stream is judged as the service meets it.

Events go through the same `Model.take` and `Model.ranked` as in the service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

import numpy as np

from reco.evaluation.files import Event
from reco.evaluation.marks import HITS_AT, NDCG_AT, Marks
from reco.model.model import Model
from reco.model.rows import SECOND_US, Ints, Item, Pair
from reco.model.settings import Settings

Variant = Literal["strict", "usual"]
HYBRID = "hybrid"
Clock = Callable[[], float]
"""Seconds of processor time so far."""


@dataclass(frozen=True)
class Protocol:
    """`warm_up`: share of the events before the first that is scored; `learn_from`: share before the ranker learns.

    strict: nothing of the current second is known or learned before the second is over. usual: each event is known to
    the next. `parts`: score each column alone, too.
    """

    variant: Variant
    warm_up: float
    learn_from: float
    parts: bool


@dataclass
class Run:
    """What one walk found: marks by what ranked, and the processor time of scoring and of updating."""

    marks: dict[str, Marks] = field(default_factory=dict)
    events: int = 0
    score_s: float = 0.0
    update_s: float = 0.0
    scored: int = 0
    updated: int = 0


def shuffled(events: Sequence[Event], seed: np.random.Generator) -> list[Event]:
    """Events by time, those of one second in random order; of a repeated member and content the first only, as the
    later ones are updates and no new events to predict."""
    order = seed.permutation(len(events))
    first: dict[tuple[str, str], Event] = {}
    for event in sorted((events[at] for at in order.tolist()), key=lambda one: one.unix_time):
        first.setdefault((event.member, event.content), event)
    return list(first.values())


class Walk:
    """One walk of a model over events."""

    def __init__(
        self, protocol: Protocol, settings: Settings, tags: Mapping[str, tuple[str, ...]], seed: int, clock: Clock
    ) -> None:
        self.protocol = protocol
        self.run = Run()
        self.model = Model(settings, np.random.default_rng([seed, 1]))
        self._chance = np.random.default_rng([seed, 0])
        self._tags = tags
        self._clock = clock
        self._known: set[str] = set()

    def over(self, events: Sequence[Event]) -> Iterator[Run]:
        """Walk; yields the state of the run after each group of events, for whoever shows progress."""
        ordered = shuffled(events, self._chance)
        warm, learn = (int(share * len(ordered)) for share in (self.protocol.warm_up, self.protocol.learn_from))
        for group in self._groups(ordered):
            if self.run.events >= warm:
                self._score(group)
            self._take(group, self.run.events >= learn)
            yield self.run

    def _groups(self, events: Sequence[Event]) -> Iterator[list[Event]]:
        if self.protocol.variant == "usual":
            return ([event] for event in events)
        return (list(group) for _, group in groupby(events, key=lambda one: one.unix_time))

    def _score(self, group: Sequence[Event]) -> None:
        began = self._clock()
        for event in group:
            if event.weight > 0:
                self._outcome(event)
        self.run.score_s += self._clock() - began

    def _outcome(self, event: Event) -> None:
        item = self.model.standing.items.number(event.content)
        ranking = self.model.ranked(event.member, event.unix_time * SECOND_US)
        self._mark(HYBRID, _rank(ranking.items, item), ranking.items[:NDCG_AT].tolist())
        self.run.scored += 1
        if self.protocol.parts:
            self._parts(event, item)

    def _parts(self, event: Event, item: int | None) -> None:
        view = self.model.view(event.member, event.unix_time * SECOND_US)
        ties = self._chance.random(len(view.eligible))
        for name, scores in zip(self.model.columns, view.scores, strict=True):
            best = view.eligible[np.lexsort((ties, -scores[view.eligible]))[:HITS_AT]]
            self._mark(name, _rank(best, item), best[:NDCG_AT].tolist())

    def _mark(self, name: str, rank: int | None, top: list[int]) -> None:
        self.run.marks.setdefault(name, Marks()).add(rank, top)

    def _take(self, group: Sequence[Event], learn: bool) -> None:
        began = self._clock()
        new = {event.content: event for event in group if event.content not in self._known}
        self._known.update(new)
        pairs = [_pair(event) for event in group]
        self.model.take(pairs, learn)
        self.model.take_items(self._item(event) for event in new.values())
        if learn:
            self.model.maintain()
            self.run.updated += len(group)
            self.run.update_s += self._clock() - began
        self.run.events += len(group)

    def _item(self, event: Event) -> Item:
        return Item(event.content, tags=self._tags.get(event.content, ()), published_us=event.unix_time * SECOND_US)


def _rank(items: Ints, item: int | None) -> int | None:
    """Where an item stands, from 0; None if it is not there."""
    found = np.flatnonzero(items == (-1 if item is None else item))
    return int(found[0]) if len(found) else None


def _pair(event: Event) -> Pair:
    at_us = event.unix_time * SECOND_US
    return Pair(event.member, event.content, at_us, at_us, event.weight)
