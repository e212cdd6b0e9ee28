"""The slice of activity."""

from __future__ import annotations

from typing import Final

from metrics.activity.rpc import POLICIES, ActivityRpcs
from metrics.reading import postgres_look
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> ActivityRpcs:
    """What the slice serves."""
    return ActivityRpcs(postgres_look(wiring.queries, wiring.settings.zone), wiring.settings.weights)


ACTIVITY: Final = Slice(policies=POLICIES, rpcs=rpcs)
