"""The service's three answers, computed from the live factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from eventfold.errors import NotFound
from reco.application.pairs import Pairs
from reco.domain import similarity
from reco.domain.similarity import Ranked

FORMULA_RECOMMEND = (
    "score(j) = sum over i in the member's history of co(i,j)/sqrt(n_i*n_j), rounded to 9 decimals; co(i,j): distinct "
    "members with both, n: distinct members; the member's own items are left out; ties by n desc, content_id asc; "
    "filled up by n desc, content_id asc"
)
FORMULA_SIMILAR = "score(j) = co(i,j)/sqrt(n_i*n_j), rounded to 9 decimals; ties by n desc, content_id asc"
FORMULA_POPULAR = "score(j) = n_j, distinct members; ties by content_id asc"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One answered item."""

    content_id: str
    title: str
    score: float
    reason: str


def recommend(pairs: Pairs, member_id: str, as_of: datetime | None, limit: int) -> list[Suggestion]:
    """Content that the member might want next; popular content for a member without history."""
    history, had = pairs.history(member_id, as_of)
    return _suggestions(pairs, similarity.recommend(pairs.matrix(as_of), history, had, limit))


def similar(pairs: Pairs, content_id: str, as_of: datetime | None, limit: int) -> list[Suggestion]:
    """Content that the same members had. Raises `NotFound` for content that was not published by `as_of`."""
    item = pairs.item(content_id, as_of)
    if item is None:
        raise NotFound("there is no such content", field="content_id", content_id=content_id)
    only = np.array([item], dtype=np.int64)
    return _suggestions(pairs, similarity.similar(pairs.matrix(as_of), only, only, limit))


def popular(pairs: Pairs, as_of: datetime | None, limit: int) -> list[Suggestion]:
    """Content that most members had."""
    return _suggestions(pairs, similarity.popular(pairs.matrix(as_of), np.array([], dtype=np.int64), limit))


def _suggestions(pairs: Pairs, ranked: Sequence[Ranked]) -> list[Suggestion]:
    return [Suggestion(pairs.content_id(one.item), pairs.title(one.item), one.score, one.reason) for one in ranked]
