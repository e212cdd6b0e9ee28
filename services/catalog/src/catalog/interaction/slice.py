"""The slice of interactions."""

from __future__ import annotations

from typing import Final

from catalog.access.queries import Grants, Members
from catalog.interaction.application import Interacting
from catalog.interaction.domain import EVENTS
from catalog.interaction.projections import GROUPS
from catalog.interaction.publication import to_public
from catalog.interaction.queries import Comments
from catalog.interaction.rpc import POLICIES, InteractionRpcs
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> InteractionRpcs:
    """What the slice serves."""
    interacting = Interacting(wiring.store, wiring.pool, wiring.subject_keys, Grants(wiring.queries).of_each)
    return InteractionRpcs(interacting, Comments(wiring.queries), Members(wiring.queries).known)


INTERACTION: Final = Slice(
    events=EVENTS,
    to_public=to_public,
    groups=GROUPS,
    policies=POLICIES,
    rpcs=rpcs,
)
