"""Candidates from the model: what may be shown, best first, and why."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from reco.model.model import Model, Ranking

REASONS: Final = {
    "ease": "similar",
    "cosine": "similar",
    "local": "similar",
    "als": "similar",
    "given": "similar",
    "follow": "followed",
    "markov": "followed",
    "users": "members",
    "sessions": "members",
    "content": "content",
    "popular": "trending",
    "recent": "trending",
}
"""What a family of the model's columns means to a member: `similar` to what the member chose, `followed` by it, chosen
by `members` alike, alike in `content`, or `trending`."""
FAMILIES: Final = {"members": ("users", "sessions"), "content": ("content",)}
"""The families of columns by which a method alone ranks."""
TREND: Final = "popular"


class Candidate(NamedTuple):
    """Content that could be shown. `score` is finite."""

    content_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Asked:
    """For whom and when, and what may not be shown. An empty `member_id` asks as for a new member."""

    member_id: str
    now_us: int
    method: str
    without: Container[str]
    passing: Callable[[str], bool] | None

    def may(self, content_id: str) -> bool:
        """Whether the content may be shown."""
        return content_id not in self.without and (self.passing is None or self.passing(content_id))


def candidates(model: Model, asked: Asked, limit: int) -> list[Candidate]:
    """At most `limit` of what may be shown, best first. Rarely, all contents are tested one by one: with filters, or
    where most of the usual candidates may not be shown."""
    if asked.method in FAMILIES:
        return _by_family(model, asked, limit)
    if asked.passing is None:
        ranking = model.ranked(asked.member_id, asked.now_us)
        found = [one for one in _named(model, ranking) if asked.may(one.content_id)][:limit]
        if len(found) == limit or ranking.whole:
            return found
    return _named(model, model.ranked(asked.member_id, asked.now_us, asked.may))[:limit]


def whys(model: Model, asked: Asked, content_ids: Sequence[str]) -> list[tuple[str, str, str]]:
    """For each content the reason, the content that it speaks of or an empty text, and the model's column."""
    explained = model.explained(asked.member_id, asked.now_us, content_ids)
    return [(REASONS[family_of(column)] if column else "popular", because, column) for column, because in explained]


def _named(model: Model, ranking: Ranking) -> list[Candidate]:
    scored = zip(ranking.items.tolist(), ranking.scores.tolist(), strict=True)
    return [Candidate(model.standing.items.name(item), score) for item, score in scored]


def _by_family(model: Model, asked: Asked, limit: int) -> list[Candidate]:
    """By the sum of the families' scores; where it has nothing to say, by what is much chosen."""
    view = model.view(asked.member_id, asked.now_us)
    rows = [family_of(name) in FAMILIES[asked.method] for name in model.columns]
    rest = [family_of(name) == TREND for name in model.columns]
    standard = view.standard(view.eligible)
    scores = standard[rows].sum(axis=0)
    order = np.lexsort((-standard[rest].sum(axis=0), -scores))
    named = ((model.standing.items.name(int(view.eligible[at])), float(scores[at])) for at in order)
    return [Candidate(name, score) for name, score in named if asked.may(name)][:limit]


def family_of(column: str) -> str:
    """What stands before the dot of a column's name."""
    return column.partition(".")[0]
