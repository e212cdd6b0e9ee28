"""The slice of revenue."""

from __future__ import annotations

from typing import Final

from metrics.reading import postgres_look
from metrics.revenue.rpc import POLICIES, RevenueRpcs
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> RevenueRpcs:
    """What the slice serves."""
    return RevenueRpcs(postgres_look(wiring.queries, wiring.settings.zone))


REVENUE: Final = Slice(policies=POLICIES, rpcs=rpcs)
