"""The kinds of counted interactions, and their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Kind = Literal["view", "like", "comment", "share", "rate", "complete"]

KINDS: Final[tuple[Kind, ...]] = ("view", "like", "comment", "share", "rate", "complete")
"""The counted interactions. `unlike` is not one, and does not remove the like's count."""

QUALITY: Final[Mapping[Kind, float]] = {
    "view": 1.0,
    "like": 2.0,
    "rate": 2.0,
    "comment": 3.0,
    "share": 3.0,
    "complete": 4.0,
}
"""Weights of the quality-weighted activity, without unit: a kind that takes the member more effort weighs more."""
