"""The slice of entitlements."""

from __future__ import annotations

from typing import Final

from billing.entitlement.domain import EVENTS
from billing.entitlement.processes import GRANT_AFTER_PAID
from billing.entitlement.projections import ENTITLEMENTS
from billing.entitlement.publication import to_public
from billing.entitlement.queries import Entitlements
from billing.entitlement.rpc import POLICIES, EntitlementRpcs
from eventfold import FoldGroup
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> EntitlementRpcs:
    """What the slice serves."""
    return EntitlementRpcs(Entitlements(wiring.queries))


ENTITLEMENT: Final = Slice(
    events=EVENTS,
    to_public=to_public,
    groups=(FoldGroup("money", (ENTITLEMENTS,), (GRANT_AFTER_PAID,)),),
    policies=POLICIES,
    rpcs=rpcs,
)
