"""How good rankings were: NDCG@10, hit rate@20 and coverage of what members then took to."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

NDCG_AT = 10
HITS_AT = 20


class Spread(TypedDict):
    """Mean over seeds, and their sample deviation."""

    mean: float
    spread: float


@dataclass
class Marks:
    """Sums over outcomes. With one true item, NDCG@10 is 1/log2(2 + rank) if the rank (from 0) is below 10, else 0."""

    outcomes: int = 0
    gain: float = 0.0
    hits: int = 0
    shown: set[int] = field(default_factory=set)

    def add(self, rank: int | None, top: Iterable[int]) -> None:
        """One outcome: the rank of the true item (None: not ranked), and the ten items at the top."""
        self.outcomes += 1
        self.shown.update(top)
        if rank is not None and rank < NDCG_AT:
            self.gain += 1.0 / math.log2(2.0 + rank)
        if rank is not None and rank < HITS_AT:
            self.hits += 1

    def result(self, items: int) -> dict[str, float]:
        """Means over outcomes; coverage is the share of `items` that stood in a top ten."""
        outcomes = max(self.outcomes, 1)
        return {
            "ndcg_at_10": self.gain / outcomes,
            "hit_rate_at_20": self.hits / outcomes,
            "coverage": len(self.shown) / max(items, 1),
        }


def over_seeds(results: Sequence[dict[str, float]]) -> dict[str, Spread]:
    """Mean and spread (sample deviation, 0 for one seed) of each mark."""
    return {
        name: Spread(
            mean=statistics.fmean(one[name] for one in results),
            spread=statistics.stdev(one[name] for one in results) if len(results) > 1 else 0.0,
        )
        for name in results[0]
    }
