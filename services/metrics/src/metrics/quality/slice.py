"""The slice of content quality."""

from __future__ import annotations

from typing import Final

from metrics.quality.rpc import POLICIES, QualityRpcs
from metrics.reading import postgres_look
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> QualityRpcs:
    """What the slice serves."""
    look = postgres_look(wiring.queries, wiring.settings.zone)
    return QualityRpcs(look, wiring.settings.metrics_prior_ratings)


QUALITY: Final = Slice(policies=POLICIES, rpcs=rpcs)
