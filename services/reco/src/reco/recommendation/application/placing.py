"""From scored candidates to the places of an answer: a limit for each creator, exploration with known propensities."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A candidate at its place. `propensity`: the probability with which it was put there, given the places above."""

    one: T
    propensity: float
    explored: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """`per_creator`: most items of one creator in an answer. `explored_share`: the probability with which a place goes
    to a random one of the next `pool` candidates, so that the model learns of what it would not show."""

    per_creator: int
    explored_share: float
    pool: int = 50


def placed(
    candidates: Sequence[T], creator_of: Callable[[T], str], limit: int, rules: Rules, rng: random.Random
) -> list[Placed[T]]:
    """At most `limit` of `candidates`, which are best first."""
    left, taken, full = [(one, creator_of(one)) for one in candidates], Counter[str](), set[str]()
    found: list[Placed[T]] = []
    while left and len(found) < limit:
        open_ones = [place for place, (_, creator) in enumerate(left[: rules.pool]) if creator not in full]
        if not open_ones:
            del left[: rules.pool]
            continue
        explored = rng.random() < rules.explored_share
        chosen = rng.choice(open_ones) if explored else open_ones[0]
        one, creator = left.pop(chosen)
        taken[creator] += 1
        if taken[creator] >= rules.per_creator:
            full.add(creator)
        found.append(Placed(one, _propensity(chosen == open_ones[0], len(open_ones), rules), explored))
    return found


def _propensity(best: bool, pool: int, rules: Rules) -> float:
    return (1.0 - rules.explored_share if best else 0.0) + rules.explored_share / pool
