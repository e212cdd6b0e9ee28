"""The slice of conversion."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from metrics.conversion.rpc import POLICIES, ConversionRpcs
from metrics.conversion.sweeping import sweep_impressions
from metrics.reading import postgres_look
from servicekit.background import Work
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> ConversionRpcs:
    """What the slice serves."""
    return ConversionRpcs(postgres_look(wiring.queries, wiring.settings.zone))


def background(wiring: Wiring) -> Mapping[str, Work]:
    """The sweeper of old impressions."""
    return {"sweeper": partial(sweep_impressions, wiring.pool, wiring.settings.metrics_impressions_days)}


CONVERSION: Final = Slice(policies=POLICIES, rpcs=rpcs, background=background)
