"""Entitlements by member: what each may use."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from contracts.events.billing import ENTITLEMENT_GRANTED
from eventfold import ReadTable, projection, puts


class EntitlementRow(NamedTuple):
    """An entitlement; without `expires_at` it is for ever."""

    entitlement_id: str
    member_id: str
    product_id: str
    source: str
    granted_at: datetime
    expires_at: datetime | None


TABLE = ReadTable("entitlement", EntitlementRow)


ENTITLEMENTS = projection("entitlements", puts(TABLE, ENTITLEMENT_GRANTED), partition_local=True)
