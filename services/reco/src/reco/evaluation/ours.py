"""The service's own model in a walk: events go through the same `Model.take` and `Model.ranked` as in the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from reco.evaluation.files import Event
from reco.evaluation.walking import Published, chance
from reco.model.model import Model
from reco.model.rows import SECOND_US, Floats32, Ints, Item, Pair
from reco.model.settings import Settings

HYBRID = "hybrid"
BLEND = "blend"
"""The ranker as it was before it had learned anything."""
Tags = Mapping[str, tuple[str, ...]]


class Ours:
    """The model; besides, the blend that it starts from, and with `parts` each of its columns alone."""

    name = HYBRID

    def __init__(self, settings: Settings, tags: Tags, seed: int, parts: bool) -> None:
        self.model = Model(settings, chance(seed, 1))
        self._blend = Model(replace(settings, nets=1, replay=1), chance(seed, 1)).ranker
        self._ties = chance(seed, 2)
        self._tags = tags
        self._parts = parts

    def publish(self, contents: Sequence[Published]) -> None:
        """Contents that may be ranked from now on."""
        self.model.take_items(
            Item(one.content, tags=self._tags.get(one.content, ()), published_us=one.unix_time * SECOND_US)
            for one in contents
        )

    def best(self, member: str, unix_time: int, count: int) -> list[str]:
        """The best contents for a member, best first."""
        return self._names(self.model.ranked(member, unix_time * SECOND_US).items[:count])

    def besides(self, member: str, unix_time: int, count: int) -> dict[str, Sequence[str]]:
        """What the blend ranks best of the same candidates; and each column, of all that may be ranked."""
        panel = self.model.ranked(member, unix_time * SECOND_US).panel
        found: dict[str, Sequence[str]] = {BLEND: self._best(panel.items, self._blend.scores(panel.features), count)}
        if self._parts:
            view = self.model.view(member, unix_time * SECOND_US)
            columns = zip(self.model.columns, view.scores, strict=True)
            found |= {name: self._best(view.eligible, scores[view.eligible], count) for name, scores in columns}
        return found

    def take(self, events: Sequence[Event], learn: bool) -> None:
        """Events of one moment; with `learn`, the ranker learns from them and the parts are brought up to date."""
        self.model.take([_pair(event) for event in events], learn)
        if learn:
            self.model.maintain()

    def _best(self, items: Ints, scores: Floats32, count: int) -> list[str]:
        return self._names(items[np.lexsort((self._ties.random(len(items)), -scores))[:count]])

    def _names(self, items: Ints) -> list[str]:
        return [self.model.standing.items.name(item) for item in items.tolist()]


def _pair(event: Event) -> Pair:
    at_us = event.unix_time * SECOND_US
    return Pair(event.member, event.content, at_us, at_us, event.weight)
