"""The copy of the process that learns: what members take to teaches the ranker, in the order of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from reco.model.model import Model
from reco.model.rows import SECOND_US, Pair
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.pairs import Bounds


class LearningCopy(Copy):
    """Pairs wait until `learn` is asked for them. Everything else is as in any copy."""

    def __init__(self, bounds: Bounds, make_model: Callable[[], Model]) -> None:
        super().__init__(bounds, make_model)
        self._waiting: list[Pair] = []

    @property
    def waiting(self) -> Sequence[Pair]:
        """Pairs of published content and of anything else, in no order."""
        return self._waiting

    def emptied(self) -> LearningCopy:
        """An empty copy that keeps what the model has learned."""
        made = LearningCopy(self._bounds, self._make_model)
        made.model.inherit(self.model)
        return made

    def learn(self, outcomes: int) -> Iterator[int]:
        """Take what waits, oldest first; the newest `outcomes` of it teach the ranker, those before are only taken.

        What happened within one second is taken at once: none of it was known when the rest was chosen. Yields the
        number of pairs still to be taken after each second that taught something, for whoever has to do something else
        meanwhile.
        """
        pairs, self._waiting = sorted(self._waiting, key=_order), []
        known, new = pairs[: max(0, len(pairs) - outcomes)], pairs[max(0, len(pairs) - outcomes) :]
        self.model.take(known)
        left = len(new)
        for _, second in groupby(new, key=lambda one: one.first_us // SECOND_US):
            group = list(second)
            self.model.take(group, learn=True)
            self.model.maintain()
            left -= len(group)
            yield left

    def _tell_model(self, pairs: Sequence[Pair]) -> None:
        self._waiting.extend(pairs)


def _order(pair: Pair) -> tuple[int, str, str]:
    return pair.first_us, pair.member_id, pair.content_id
