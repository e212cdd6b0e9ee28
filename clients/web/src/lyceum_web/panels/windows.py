"""Windows that are shown beside the chosen one, so that a reader sees whether a figure grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BESIDE: Final = (7, 30, 90, 365)


def windows(days: int) -> Sequence[int]:
    """The chosen window among the usual ones, shortest first."""
    return sorted({days, *BESIDE})
