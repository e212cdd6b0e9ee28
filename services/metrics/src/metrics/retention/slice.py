"""The slice of retention."""

from __future__ import annotations

from typing import Final

from metrics.reading import postgres_look
from metrics.retention.rpc import POLICIES, RetentionRpcs
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> RetentionRpcs:
    """What the slice serves."""
    return RetentionRpcs(postgres_look(wiring.queries, wiring.settings.zone))


RETENTION: Final = Slice(policies=POLICIES, rpcs=rpcs)
