"""The copy of the process that learns: what members take to teaches the ranker, in the order of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import heappush, heappushpop
from itertools import groupby
from typing import Final

from reco.model.model import Model
from reco.model.offers import Offer
from reco.model.rows import SECOND_US, Pair
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.pairs import Bounds, micros
from reco.recommendation.projections import IMPRESSIONS, ImpressionRow

MAX_WAITING_OFFERS: Final = 20_000
"""Of the answers that are read at once, so many of the newest are held."""
_Key = tuple[int, str, str]


class LearningCopy(Copy):
    """Pairs and impressions wait until `learn` is asked for them. Everything else is as in any copy."""

    def __init__(self, bounds: Bounds, make_model: Callable[[], Model]) -> None:
        super().__init__(bounds, make_model)
        self._waiting: list[Pair] = []
        self._shown: list[tuple[_Key, Offer]] = []
        self.takers = {**self.takers, IMPRESSIONS.name: self.take_impressions}

    @property
    def waiting(self) -> Sequence[Pair]:
        """Pairs of published content and of anything else, in no order."""
        return self._waiting

    def emptied(self) -> LearningCopy:
        """An empty copy that keeps what the model has learned."""
        made = LearningCopy(self._bounds, self._make_model)
        made.model.inherit(self.model)
        return made

    def take_impressions(self, rows: Sequence[ImpressionRow]) -> None:
        """What members were shown. Answers that were the same for all (`personalised` is off) teach nothing: the
        member's history is not what they rest on."""
        for row in rows:
            if row.personalised:
                offer = _offer(row)
                push = heappush if len(self._shown) < MAX_WAITING_OFFERS else heappushpop
                push(self._shown, (_shown_order(offer), offer))

    def learn(self, outcomes: int, offers: int = 0) -> Iterator[int]:
        """Take what waits, oldest first; the newest `outcomes` of the pairs teach the ranker, those before are only
        taken. The newest `offers` of the answers are kept as they look at their time, and teach when something of them
        is taken; those from before the first pair that teaches are left out.

        What happened within one second is taken at once: none of it was known when the rest was chosen or shown. Yields
        the number of pairs still to be taken after each second that taught something, for whoever has to do something
        else meanwhile.
        """
        pairs, self._waiting = sorted(self._waiting, key=_order), []
        known, new = pairs[: max(0, len(pairs) - outcomes)], pairs[max(0, len(pairs) - outcomes) :]
        shown = self._newest_shown(offers, after_us=known[-1].first_us if known else -1)
        self.model.take(known)
        left = len(new)
        both: list[Pair | Offer] = [*new, *shown]
        for _, second in groupby(sorted(both, key=_time), key=lambda one: _time(one) // SECOND_US):
            group = self._show([*second])
            if group:
                self.model.take(group, learn=True)
                self.model.maintain()
            left -= len(group)
            yield left

    def _newest_shown(self, offers: int, after_us: int) -> list[Offer]:
        """Orders what waits, and lets go of all of it."""
        shown, self._shown = sorted(self._shown), []
        newest = shown[max(0, len(shown) - offers) :]
        return [offer for _, offer in newest if offer.at_us // SECOND_US > after_us // SECOND_US]

    def _show(self, second: Sequence[Pair | Offer]) -> list[Pair]:
        """Show what was shown within a second; the pairs of that second."""
        for one in second:
            if isinstance(one, Offer):
                self.model.show(one)
        return [one for one in second if isinstance(one, Pair)]

    def _tell_model(self, pairs: Sequence[Pair]) -> None:
        self._waiting.extend(pairs)


def _offer(row: ImpressionRow) -> Offer:
    return Offer(
        answer_id=row.answer_id,
        member_id=row.member_id,
        at_us=micros(row.occurred_at),
        content_ids=tuple(one["content_id"] for one in row.items),
        propensities=tuple(one.get("propensity") for one in row.items),
    )


def _time(one: Pair | Offer) -> int:
    return one.first_us if isinstance(one, Pair) else one.at_us


def _order(pair: Pair) -> _Key:
    return pair.first_us, pair.member_id, pair.content_id


def _shown_order(offer: Offer) -> _Key:
    return offer.at_us, offer.member_id, offer.answer_id
