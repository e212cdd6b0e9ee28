"""What members do with content, and how much each act says about their taste. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Signal = Literal["view", "like", "rate", "comment", "share", "complete", "purchase"]

WEIGHTS: Final[Mapping[Signal, int]] = {
    "view": 10,
    "like": 20,
    "rate": 22,
    "comment": 30,
    "share": 32,
    "complete": 40,
    "purchase": 50,
}
"""Weight of each signal in tenths of a view: no two are equal, so the weight of a pair tells its strongest signal.
Exact similarities are binary and do not use it."""
SIGNALS: Final[Mapping[int, Signal]] = {weight: signal for signal, weight in WEIGHTS.items()}

VIEW: Final = 10.0
DISLIKED: Final = -1.0
"""Strength of what a member rated low, abandoned or hid: it counts against content like it."""
LOW_RATING, MIDDLE_RATING = 2, 3
ABANDONED_SHARE, ABANDONED_MS = 0.1, 30_000
"""A look at less of the content than this, and shorter than this, says that the member was not interested."""


def strength(*, weight: int, rating: int | None, watched_ms: int, duration_ms: int | None, hidden: bool) -> float:
    """How much a pair of member and content says for the member's taste, in views; at most 0 if it says nothing for it.

    A rating from 1 to 5 has the last word about content that was rated. A mere view counts by the share watched, where
    the duration is known and the client said how long the member watched (0: unknown).
    """
    if hidden or (rating is not None and rating <= LOW_RATING):
        return DISLIKED
    if rating == MIDDLE_RATING and weight <= WEIGHTS["rate"]:
        return 0.5
    if weight > WEIGHTS["view"] or not duration_ms or not watched_ms:
        return weight / VIEW
    return _of_view(watched_ms, duration_ms)


def _of_view(watched_ms: int, duration_ms: int) -> float:
    share = min(1.0, watched_ms / duration_ms)
    if share < ABANDONED_SHARE and watched_ms < ABANDONED_MS:
        return DISLIKED
    return 0.5 + 0.5 * share
