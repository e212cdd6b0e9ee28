"""The slice of preferences."""

from __future__ import annotations

from typing import Final

from reco.preference.application import Preferring
from reco.preference.domain import EVENTS
from reco.preference.publication import to_public
from reco.preference.rpc import POLICIES, PreferenceRpcs
from reco.recommendation.queries import Published
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> PreferenceRpcs:
    """What the slice serves."""
    return PreferenceRpcs(Preferring(wiring.store, Published(wiring.queries).has))


PREFERENCE: Final = Slice(events=EVENTS, to_public=to_public, policies=POLICIES, rpcs=rpcs)
