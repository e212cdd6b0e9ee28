"""Entitlements into answers."""

from __future__ import annotations

from billing.entitlement.projections import EntitlementRow
from lyceum.billing.v1 import billing_pb2 as pb
from servicekit.times import stamp


def entitlement(row: EntitlementRow) -> pb.Entitlement:
    """An entitlement; without an end it is for ever."""
    return pb.Entitlement(
        entitlement_id=row.entitlement_id,
        product_id=row.product_id,
        source=row.source,
        granted_at=stamp(row.granted_at),
        expires_at=stamp(row.expires_at) if row.expires_at else None,
    )
