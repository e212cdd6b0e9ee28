"""Who may use what, as billing says: the catalog's own copy of entitlements."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import billing
from eventfold import FoldGroup, ReadTable, projection, puts


class AccessRow(NamedTuple):
    """One entitlement. Kept singly, so that ending one does not end another."""

    entitlement_id: str
    member_id: str
    product_id: str
    expires_at: datetime | None


ACCESS = ReadTable("access_mirror", AccessRow)


MIRROR = projection("access_mirror", puts(ACCESS, billing.ENTITLEMENT_GRANTED), partition_local=True)

GROUPS: Final = (FoldGroup("access", (MIRROR,)),)
