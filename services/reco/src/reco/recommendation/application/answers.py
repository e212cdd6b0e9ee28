"""The service's answers, computed from the copy in memory."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventfold.errors import InvalidInput, NotFound
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.eligibility import Filters, left_out
from reco.recommendation.application.pairs import Pairs, micros
from reco.recommendation.application.placing import Placed, Rules, placed
from reco.recommendation.application.scoring import Asked, Candidate, candidates, whys
from reco.recommendation.domain import similarity
from reco.recommendation.domain.similarity import Indexes, Ranked

FORMULA_ITEMS: Final = (
    "score(j) = sum over i in the member's history of co(i,j)/sqrt(n_i*n_j), rounded to 9 decimals; co(i,j): distinct "
    "members with both, n: distinct members; the member's own items are left out, and what is hidden, owned or not to "
    "be had; ties by n desc, content_id asc; filled up by n desc, content_id asc"
)
FORMULA_SIMILAR: Final = "score(j) = co(i,j)/sqrt(n_i*n_j), rounded to 9 decimals; ties by n desc, content_id asc"
FORMULA_POPULAR: Final = "score(j) = n_j, distinct members; ties by content_id asc"
FORMULA_TRENDING: Final = (
    "score(j) = sum over the members of j of 0.5^(age of the member's first signal / half-life), rounded to 9 "
    "decimals; ties by n desc, content_id asc"
)
FORMULA_MEMBERS: Final = (
    "similarity(u,v) = co(u,v)/sqrt(n_u*n_v), rounded to 9 decimals; co(u,v): contents that both had, n: contents of "
    "each"
)
FORMULA_OUTCOMES: Final = (
    "taken: contents shown of which the member's first signal came within 24 hours after the answer; "
    "share = taken / shown"
)
FORMULA_LEARNED: Final = (
    "a learned ranking of what several models propose: similar content, what members choose next, similar members, "
    "content alike, what is new and much chosen; model_version names what it has learned"
)
EXACT: Final = ("items", "popular")
"""Methods whose answers anybody can compute from the same facts; these alone can look back (`as_of`)."""
POOL_ITEMS: Final = 200
"""Candidates that are placed at most."""


ANY: Final = Filters()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One answered item. `because`: the content that the reason speaks of, or empty. `source`: the part of the model to
    which it owes its place. `propensity`: see `placing`."""

    content_id: str
    title: str
    score: float
    reason: str
    creator_id: str = ""
    kind: str = ""
    because: str = ""
    source: str = ""
    propensity: float = 1.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be recommended to whom. `repeated`: what the same slot showed a moment ago."""

    member_id: str
    method: str
    limit: int
    now: datetime
    as_of: datetime | None = None
    filters: Filters = ANY
    repeated: Collection[str] = ()


def method_for(wanted: str, *, personal: bool) -> str:
    """The method that answers: one that rests on nobody's behaviour in particular where the member wants it so."""
    return wanted if personal or wanted == "hybrid" else "popular"


def check_looks_back(method: str, as_of: datetime | None) -> None:
    """Raises `InvalidInput` where `as_of` is asked of a method that learns: its model holds the present only, and what
    it had learned by then is not kept."""
    if as_of is not None and method not in EXACT:
        allowed = " or ".join(EXACT)
        raise InvalidInput(
            f"the past cannot be asked of the method {method}: set method to {allowed}, or leave as_of out",
            field="as_of",
        )


def recommend(copy: Copy, wish: Wish, rules: Rules, rng: random.Random) -> list[Suggestion]:
    """Content that the member might want next; what is much chosen for a member without history. Raises `InvalidInput`
    where `as_of` is asked of a method that learns."""
    check_looks_back(wish.method, wish.as_of)
    return _exact(copy, wish) if wish.method in EXACT else _learned(copy, wish, rules, rng)


def similar(copy: Copy, content_id: str, as_of: datetime | None, limit: int) -> list[Suggestion]:
    """Content that the same members had. Raises `NotFound` for content that was not published by `as_of`."""
    item = copy.pairs.item(content_id, as_of)
    if item is None:
        raise NotFound("there is no such content", field="content_id", content_id=content_id)
    only = np.array([item], dtype=np.int64)
    return _suggestions(copy, similarity.similar(copy.pairs.matrix(as_of), only, only, limit))


def popular(copy: Copy, as_of: datetime | None, limit: int) -> list[Suggestion]:
    """Content that most members had."""
    return _suggestions(copy, similarity.popular(copy.pairs.matrix(as_of), _NONE, limit))


def trending(copy: Copy, as_of: datetime, half_life_us: float, filters: Filters, limit: int) -> list[Suggestion]:
    """Content that most members began with lately."""
    matrix = copy.pairs.matrix(as_of)
    weighed = copy.pairs.decayed(micros(as_of), half_life_us)
    return _suggestions(copy, similarity.trending(matrix, weighed, _passing(copy, filters), limit))


def similar_members(copy: Copy, member_id: str, limit: int) -> list[tuple[str, float]]:
    """Members who had the same content, with their similarities, best first."""
    member = copy.pairs.member(member_id)
    if member is None:
        return []
    ids = copy.pairs.member_ids()
    return [(ids[one], found) for one, found in similarity.similar_members(copy.pairs.matrix(None), member, limit)]


_NONE: Final = np.empty(0, dtype=np.int64)


def _exact(copy: Copy, wish: Wish) -> list[Suggestion]:
    pairs = copy.pairs
    history, had = pairs.history(wish.member_id, wish.as_of)
    out = np.concatenate([had, _left_out(copy, wish)])
    matrix = pairs.matrix(wish.as_of)
    if wish.method == "popular":
        return _suggestions(copy, similarity.popular(matrix, out, wish.limit))
    return _suggestions(copy, similarity.recommend(matrix, history, out, wish.limit))


def _left_out(copy: Copy, wish: Wish) -> Indexes:
    """What the member may not be shown, as indexes."""
    pairs = copy.pairs
    out = pairs.indexes(left_out(copy, wish.member_id, wish.now).and_also(wish.repeated))
    if wish.filters.any:
        return out
    return np.concatenate([out, np.flatnonzero(~_passing(copy, wish.filters))])


def _passing(copy: Copy, filters: Filters) -> NDArray[np.bool_]:
    """Which items pass, by index."""
    passes = filters.of(copy)
    if passes is None:
        return np.ones(copy.pairs.item_count, dtype=bool)
    return np.array([passes(copy.pairs.content_id(item)) for item in range(copy.pairs.item_count)], dtype=bool)


def _learned(copy: Copy, wish: Wish, rules: Rules, rng: random.Random) -> list[Suggestion]:
    asked = _asked(copy, wish)
    found = candidates(copy.model, asked, POOL_ITEMS)
    places = placed(found, lambda one: copy.items[one.content_id].creator_id, wish.limit, rules, rng)
    reasons = whys(copy.model, asked, [place.one.content_id for place in places])
    return [_shown(copy, place, *why) for place, why in zip(places, reasons, strict=True)]


def _asked(copy: Copy, wish: Wish) -> Asked:
    personal = copy.preference(wish.member_id).personalised
    without = left_out(copy, wish.member_id, wish.now).and_also(wish.repeated)
    if not personal:
        had = copy.pairs.history(wish.member_id, None)[1].tolist()
        without = without.and_also(map(copy.pairs.content_id, had))
    member_id = wish.member_id if personal else ""
    return Asked(member_id, micros(wish.now), wish.method, without, wish.filters.of(copy))


def _shown(copy: Copy, place: Placed[Candidate], reason: str, because: str, source: str) -> Suggestion:
    content_id, item = place.one.content_id, copy.items[place.one.content_id]
    return Suggestion(
        content_id=content_id,
        title=item.title,
        score=place.one.score,
        reason="exploring" if place.explored else reason,
        creator_id=item.creator_id,
        kind=item.kind,
        because="" if place.explored else because,
        source=source,
        propensity=place.propensity,
    )


def _suggestions(copy: Copy, ranked: Sequence[Ranked]) -> list[Suggestion]:
    return [_exactly(copy, copy.pairs, one) for one in ranked]


def _exactly(copy: Copy, pairs: Pairs, one: Ranked) -> Suggestion:
    item = copy.items[pairs.content_id(one.item)]
    return Suggestion(
        content_id=item.content_id,
        title=item.title,
        score=one.score,
        reason=one.reason,
        creator_id=item.creator_id,
        kind=item.kind,
        source=one.reason,
    )
