"""What a member can do with content, and how much each says about it."""

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
"""Strength of each signal, without unit. The strongest seen of a pair is kept with it; similarity is binary and uses
none of it."""
