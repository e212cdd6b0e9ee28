"""What members were shown, kept until they take to some of it or the time for that is over. Pure and bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.model.rows import DAY_US, Floats32

WINDOW_US = DAY_US
"""So long after an answer, what a member takes to counts as taken from it; the same span as in `ListOutcomes`."""
MAX_SHOWN = 200_000
"""Lists that wait and contents in them, about 130 bytes each; beyond, the lists that came first are given up."""
MAX_WEIGHT = 10.0
"""A content that was shown with a probability of 0.1 or less weighs this much, not more."""
FEWEST = 2
"""A list of fewer teaches nothing: there was nothing to choose between."""


class Offer(NamedTuple):
    """One answer that a member was shown. `propensities`: of each content, None where it is not known."""

    answer_id: str
    member_id: str
    at_us: int
    content_ids: tuple[str, ...]
    propensities: tuple[float | None, ...]


class Choice(NamedTuple):
    """What a member could have taken (contents x features), the row that was taken, and how much it counts."""

    features: Floats32
    taken: int
    weight: float


@dataclass
class _Waiting:
    """A list that waits: of each content that is left its id, propensity and features."""

    at_us: int
    content_ids: list[str]
    propensities: list[float | None]
    features: NDArray[np.float16]

    def without(self, content_id: str) -> None:
        at = self.content_ids.index(content_id)
        del self.content_ids[at], self.propensities[at]
        self.features = np.delete(self.features, at, axis=0)


class Offers:
    """Lists that members were shown, by answer, and what they choose from them.

    A list from which nothing is taken teaches nothing: whether the member looked at it is not known, and no content of
    it was preferred to another. So it is only dropped, `window_us` after it was shown.
    """

    def __init__(self, max_shown: int = MAX_SHOWN, window_us: int = WINDOW_US) -> None:
        self._max_shown, self._window_us = max_shown, window_us
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._of_member: dict[str, set[str]] = {}
        self._shown = 0
        self._now_us = 0
        self.chosen = 0
        """Choices handed out ever."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def shown(self) -> int:
        """Contents in all lists that wait."""
        return self._shown

    def wants(self, offer: Offer) -> bool:
        """Whether a list is new and not too old."""
        return (offer.member_id, offer.answer_id) not in self._waiting and offer.at_us > self._now_us - self._window_us

    def keep(self, offer: Offer, features: Floats32) -> None:
        """Let a list wait, with the features of each of its contents (contents x features) when it was shown."""
        self._drop(offer.member_id, offer.answer_id)
        self._pass(offer.at_us)
        kept = _Waiting(offer.at_us, [*offer.content_ids], [*offer.propensities], features.astype(np.float16))
        self._waiting[offer.member_id, offer.answer_id] = kept
        self._of_member.setdefault(offer.member_id, set()).add(offer.answer_id)
        self._shown += len(kept.content_ids)
        self._give_up()

    def choose(self, member_id: str, content_id: str, at_us: int) -> Choice | None:
        """A member took to a content. It counts for the newest list that showed it, and is on offer in none any more.

        The choice weighs 1 / propensity, so that contents which are seldom shown are not taken for seldom liked
        (inverse propensity: Joachims, Swaminathan, Schnabel, WSDM 2017, arXiv 1608.04468), at most `MAX_WEIGHT`: a
        bound costs a little bias and saves the variance of very rare ones (Strehl, Langford, Li, Kakade, NIPS 2010,
        arXiv 1003.0120). None where no list of the last `window_us` showed it, its propensity is not known, or nothing
        else was left to choose.
        """
        self._pass(at_us)
        mine = ((answer_id, self._waiting[member_id, answer_id]) for answer_id in self._of_member.get(member_id, ()))
        holding = sorted((one.at_us, answer_id) for answer_id, one in mine if content_id in one.content_ids)
        within = [one for one in holding if one[0] <= at_us < one[0] + self._window_us]
        choice = self._choice(self._waiting[member_id, within[-1][1]], content_id) if within else None
        for _, answer_id in holding:
            self._take_away(member_id, answer_id, content_id)
        self.chosen += choice is not None
        return choice

    def forget(self, member_id: str) -> None:
        """Drop the lists of a member."""
        for answer_id in [*self._of_member.get(member_id, ())]:
            self._drop(member_id, answer_id)

    def _choice(self, waiting: _Waiting, content_id: str) -> Choice | None:
        at = waiting.content_ids.index(content_id)
        weight = weight_of(waiting.propensities[at])
        if weight is None or len(waiting.content_ids) < FEWEST:
            return None
        return Choice(waiting.features.astype(np.float32), at, weight)

    def _take_away(self, member_id: str, answer_id: str, content_id: str) -> None:
        """The list stays even if it is empty, so that it is known when it comes again."""
        self._waiting[member_id, answer_id].without(content_id)
        self._shown -= 1

    def _pass(self, now_us: int) -> None:
        """Time goes on: what is too old is dropped. Lists that came late wait behind those that came before."""
        self._now_us = max(self._now_us, now_us)
        while self._waiting:
            key = next(iter(self._waiting))
            if self._waiting[key].at_us > self._now_us - self._window_us:
                return
            self._drop(*key)

    def _give_up(self) -> None:
        while self._waiting and self._shown + len(self._waiting) > self._max_shown:
            self._drop(*next(iter(self._waiting)))

    def _drop(self, member_id: str, answer_id: str) -> None:
        gone = self._waiting.pop((member_id, answer_id), None)
        if gone is None:
            return
        self._shown -= len(gone.content_ids)
        mine = self._of_member[member_id]
        mine.discard(answer_id)
        if not mine:
            del self._of_member[member_id]


def weight_of(propensity: float | None) -> float | None:
    """What a choice weighs; None where the propensity is not known or is no probability above 0."""
    if propensity is None or not 0.0 < propensity <= 1.0:
        return None
    return min(1.0 / propensity, MAX_WEIGHT)


def only(offer: Offer, places: Sequence[int]) -> Offer:
    """The offer with the contents of these places alone."""
    content_ids = tuple(offer.content_ids[at] for at in places)
    return offer._replace(content_ids=content_ids, propensities=tuple(offer.propensities[at] for at in places))
