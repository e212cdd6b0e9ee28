"""Entitlements by member: what each may use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from billing import topics
from eventfold.readmodel import Changes, Draft, Key, Projection, PublicRecord, ReadTable, Rows


class EntitlementRow(NamedTuple):
    """An entitlement; without `expires_at` it is for ever."""

    entitlement_id: str
    member_id: str
    product_id: str
    source: str
    granted_at: datetime
    expires_at: datetime | None


TABLE = ReadTable("entitlement", EntitlementRow)


def keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    """One row for each entitlement."""
    return {TABLE.name: [(event.data["entitlement_id"],) for event in events]}


def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """A grant makes its row."""
    draft = Draft(rows)
    for event in events:
        if event.type == topics.ENTITLEMENT_GRANTED:
            draft.put(TABLE, EntitlementRow(*(event.data[column] for column in TABLE.columns)))
    return draft.changes()


ENTITLEMENTS = Projection("entitlements", (topics.ENTITLEMENT,), (TABLE,), keys, fold, halts=True, partition_local=True)
