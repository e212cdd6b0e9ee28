"""Who may use what, as billing says: the catalog's own copy of entitlements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from eventfold.readmodel import Changes, Draft, Key, Projection, PublicRecord, ReadTable, Rows

ENTITLEMENT_TOPIC = "lyceum.billing.entitlement"


class AccessRow(NamedTuple):
    """One entitlement. Kept singly, so that ending one does not end another."""

    entitlement_id: str
    member_id: str
    product_id: str
    expires_at: datetime | None


ACCESS = ReadTable("access_mirror", AccessRow)


def keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    """Rows are replaced whole; none need be read."""
    return {}


def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """Each grant is a row of its own."""
    draft = Draft(rows)
    for event in events:
        if event.type == f"{ENTITLEMENT_TOPIC}.granted.v1":
            draft.put(ACCESS, AccessRow(**{name: event.data[name] for name in AccessRow._fields}))
    return draft.changes()


MIRROR = Projection("access_mirror", (ENTITLEMENT_TOPIC,), (ACCESS,), keys, fold, halts=True, partition_local=True)
