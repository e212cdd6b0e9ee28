"""How good rankings were: NDCG@10, hit rate@20 and coverage of what members then took to."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

NDCG_AT = 10
HITS_AT = 20
NDCG, HIT_RATE, COVERAGE = "ndcg_at_10", "hit_rate_at_20", "coverage"


class Spread(TypedDict):
    """Mean over seeds, and their sample deviation."""

    mean: float
    spread: float


def gains(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """NDCG@10 of each outcome. With one true item it is 1/log2(2 + rank) if the rank (from 0) is below 10, else 0."""
    return np.where(ranks < NDCG_AT, 1.0 / np.log2(2.0 + ranks), 0.0)


def hits(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 for each outcome whose rank (from 0) is below 20, else 0."""
    return (ranks < HITS_AT).astype(np.float64)


def means(ranks: NDArray[np.int64]) -> dict[str, float]:
    """Means over outcomes, 0 without any."""
    count = max(len(ranks), 1)
    return {NDCG: float(gains(ranks).sum() / count), HIT_RATE: float(hits(ranks).sum() / count)}


def over_seeds(results: Sequence[dict[str, float]]) -> dict[str, Spread]:
    """Mean and spread (sample deviation, 0 for one seed) of each mark."""
    return {
        name: Spread(
            mean=statistics.fmean(one[name] for one in results),
            spread=statistics.stdev(one[name] for one in results) if len(results) > 1 else 0.0,
        )
        for name in results[0]
    }
