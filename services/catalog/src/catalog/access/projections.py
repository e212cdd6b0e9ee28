"""Who may use what, as billing says, and who is a member, as identity says: the catalog's own copies."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import billing
from contracts.events.identity import MEMBER_REGISTERED
from eventfold import FoldGroup, ReadTable, projection, puts


class AccessRow(NamedTuple):
    """One entitlement. Kept singly, so that ending one does not end another."""

    entitlement_id: str
    member_id: str
    product_id: str
    expires_at: datetime | None


class MemberRow(NamedTuple):
    """Somebody who may be told of as an author or a reader."""

    member_id: str


ACCESS = ReadTable("access_mirror", AccessRow)
MEMBERS = ReadTable("member", MemberRow)

MIRROR = projection("access_mirror", puts(ACCESS, billing.ENTITLEMENT_GRANTED), partition_local=True)

KNOWN_MEMBERS = projection("known_members", puts(MEMBERS, MEMBER_REGISTERED), partition_local=True)

GROUPS: Final = (FoldGroup("access", (MIRROR, KNOWN_MEMBERS)),)
