"""How good rankings were for members and contents of which little was known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from reco.evaluation.marks import means
from reco.evaluation.outcomes import Outcomes

EDGES = (0, 1, 2, 4, 10, 30)


class Slice(TypedDict):
    """Outcomes whose member, or content, had so many events: `events` as "2-3" or "30+". Marks are means."""

    events: str
    outcomes: int
    ndcg_at_10: float
    hit_rate_at_20: float


Cold = dict[str, list[Slice]]
"""By "member" and "item"."""


def cold(runs: Sequence[Outcomes], name: str) -> Cold:
    """The outcomes of all runs together, split by what was known of the member, and of the content."""
    ranks = np.concatenate([one.of(name) for one in runs])
    known = {
        "member": [key.member_events for one in runs for key in one.keys],
        "item": [key.item_events for one in runs for key in one.keys],
    }
    return {what: _slices(np.array(counts, dtype=np.int64), ranks) for what, counts in known.items()}


def _slices(counts: NDArray[np.int64], ranks: NDArray[np.int64]) -> list[Slice]:
    which = np.searchsorted(EDGES, counts, side="right") - 1
    return [_slice(_title(at), ranks[which == at]) for at in range(len(EDGES))]


def _slice(title: str, ranks: NDArray[np.int64]) -> Slice:
    found = means(ranks)
    return Slice(
        events=title, outcomes=len(ranks), ndcg_at_10=found["ndcg_at_10"], hit_rate_at_20=found["hit_rate_at_20"]
    )


def _title(at: int) -> str:
    if at + 1 == len(EDGES):
        return f"{EDGES[at]}+"
    last = EDGES[at + 1] - 1
    return str(last) if last == EDGES[at] else f"{EDGES[at]}-{last}"
