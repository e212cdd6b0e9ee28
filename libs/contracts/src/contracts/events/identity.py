"""Public events of identity. Generated from schemas/avro by `make generate`."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict

from eventfold import PublicType


class MemberClaimed(TypedDict):
    """Somebody set the password of an imported account."""

    member_id: str
    claimed_at: datetime


class MemberRegistered(TypedDict):
    """An account came to be."""

    member_id: str
    role: str
    """consumer, creator, importer, auditor or admin."""
    claimed: bool
    """False for an imported account that nobody has taken over yet."""
    registered_at: datetime


class MemberRoleGranted(TypedDict):
    """An operator gave a member another role."""

    member_id: str
    role: str
    previous: str
    granted_at: datetime


MEMBER_CLAIMED: Final = PublicType("lyceum.identity.member.claimed.v1", MemberClaimed)
MEMBER_REGISTERED: Final = PublicType("lyceum.identity.member.registered.v1", MemberRegistered)
MEMBER_ROLE_GRANTED: Final = PublicType("lyceum.identity.member.role_granted.v1", MemberRoleGranted)

TOPICS: Final = ("lyceum.identity.member",)
"""What identity emits on, without prefix."""
