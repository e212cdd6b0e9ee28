"""The kinds of counted interactions, and their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Kind = Literal["view", "like", "comment", "share", "rate", "complete"]

COLUMN_OF: Final[Mapping[Kind, str]] = {
    "view": "views",
    "like": "likes",
    "comment": "comments",
    "share": "shares",
    "rate": "ratings",
    "complete": "completions",
}
"""The counted interactions with the columns of their counts. `unlike` is not one, and does not remove the like's
count."""
KINDS: Final[tuple[Kind, ...]] = tuple(COLUMN_OF)
INTERACTIONS_SQL: Final = " + ".join(COLUMN_OF.values())
SUMS_SQL: Final = ", ".join(f"coalesce(sum({column}), 0)::bigint" for column in COLUMN_OF.values())

Weights = Mapping[Kind, float]
QUALITY: Final[Weights] = {
    "view": 1.0,
    "like": 2.0,
    "rate": 2.0,
    "comment": 3.0,
    "share": 3.0,
    "complete": 4.0,
}
"""Weights of the quality-weighted activity, without unit: a kind that takes the member more effort weighs more."""


def weighted(by_kind: Mapping[Kind, int], weights: Weights) -> float:
    """Interactions, each times the weight of its kind."""
    return sum(weights[kind] * count for kind, count in by_kind.items())
