"""What a member can do with content, and how much each says about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Signal = Literal["view", "like", "comment", "share", "rate", "complete", "purchase"]

WEIGHTS: Final[Mapping[Signal, int]] = {
    "view": 1, "like": 2, "rate": 2, "comment": 3, "share": 3, "complete": 4, "purchase": 5,
}  # fmt: skip
"""Strength of each signal, without unit. The strongest seen of a pair is kept with it; similarity is binary and uses
none of it."""

SIGNAL_OF_TYPE: Final[Mapping[str, Signal]] = {
    "lyceum.catalog.interaction.viewed.v1": "view",
    "lyceum.catalog.interaction.liked.v1": "like",
    "lyceum.catalog.interaction.commented.v1": "comment",
    "lyceum.catalog.interaction.shared.v1": "share",
    "lyceum.catalog.interaction.rated.v1": "rate",
    "lyceum.catalog.learning.completed.v1": "complete",
    "lyceum.billing.order.paid.v1": "purchase",
}
"""Public types that make a pair of member and content. `unliked` is none: the member still has had the content."""
