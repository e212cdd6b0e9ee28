"""From entitlements to their public facts."""

from __future__ import annotations

from billing.entitlement.domain import EntitlementGranted
from contracts.events import billing as public
from eventfold import PublicEvent, Recorded


def to_public(recorded: Recorded) -> PublicEvent:
    """The public form of an event of this slice."""
    event: EntitlementGranted = recorded.event
    return public.ENTITLEMENT_GRANTED(
        {
            "entitlement_id": event.entitlement_id,
            "member_id": event.member_id,
            "product_id": event.product_id,
            "source": event.source,
            "order_id": event.order_id,
            "expires_at": None,
            "granted_at": recorded.occurred_at,
        }
    )
