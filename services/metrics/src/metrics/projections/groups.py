"""The groups in which the facts are folded: that of money halts, the others park a record that they cannot apply."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from eventfold import FoldGroup
from metrics.projections.activity import activity
from metrics.projections.impressions import IMPRESSIONS
from metrics.projections.journeys import JOURNEYS_MADE
from metrics.projections.orders import ORDER_FACTS
from metrics.projections.registry import REGISTRY


def groups(zone: ZoneInfo) -> tuple[FoldGroup, ...]:
    """All of them, with days of `zone`."""
    return (
        FoldGroup("money", (ORDER_FACTS,)),
        FoldGroup("activity", (activity(zone), REGISTRY, JOURNEYS_MADE), parks=True),
        FoldGroup("impressions", (IMPRESSIONS,), parks=True),
    )
