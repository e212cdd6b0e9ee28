"""The signals of members about content, and their strengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Signal = Literal["view", "like", "comment", "share", "rate", "complete", "purchase"]

WEIGHTS: Final[Mapping[Signal, int]] = {
    "view": 1,
    "like": 2,
    "rate": 2,
    "comment": 3,
    "share": 3,
    "complete": 4,
    "purchase": 5,
}
"""Strength of each signal, without unit. A pair stores its strongest signal; similarity is binary and does not use
it."""
