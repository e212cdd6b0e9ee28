"""From the first view to the completed content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

STEPS: Final = ("viewed", "quoted", "paid", "completed")
FORMULA_FUNNEL = (
    "pairs of a member (account of a consumer or creator) and a paid content; viewed: the first view lies in the "
    "window; quoted: an order placed not before it; paid: an order paid not before that; completed: not before that; "
    "each within the given days after the first view, and only with all steps before it; open: pairs for which these "
    "days have not passed by the end of the day of as_of"
)
FORMULA_ATTRIBUTION = (
    "first views and paid orders in the window are owed to the last recommendation of the same content that the member "
    "was shown within the given days before the view or the placing of the order; to none (empty slot) without one; "
    "shown: contents in answers of the window. Promotions: paid orders of the window by the promotion that they name"
)


@dataclass(frozen=True, slots=True)
class Step:
    """How many pairs of member and content came so far, and how many distinct members are among them."""

    name: str
    pairs: int
    members: int


def share(pairs: int, of: int) -> float:
    """pairs / of; 0 without any."""
    return pairs / of if of else 0.0


def from_previous(steps: Sequence[Step], at: int) -> float:
    """The share of the step before that came on; 1 for the first."""
    return share(steps[at].pairs, steps[at - 1].pairs) if at else 1.0
