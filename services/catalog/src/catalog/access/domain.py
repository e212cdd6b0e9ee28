"""The one place where access is decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """An entitlement that a member holds; without `expires_at` it is for ever."""

    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether, why, and until when."""

    allowed: bool
    reason: str
    expires_at: datetime | None = None


def depends_on_grant(*, access: str, creator_id: str, member_id: str | None) -> bool:
    """Whether `decide_access` would look at a grant: else none need be looked up."""
    return access != "free" and member_id not in (None, creator_id)


def decide_access(
    *, access: str, creator_id: str, member_id: str | None, grant: Grant | None, now: datetime
) -> Decision:
    """Who may read content in full: everybody if it is free, its creator, and who holds a grant that has not ended."""
    if access == "free":
        return Decision(True, "free")
    if member_id is None:
        return Decision(False, "anonymous")
    if member_id == creator_id:
        return Decision(True, "own")
    if grant is not None and (grant.expires_at is None or now < grant.expires_at):
        return Decision(True, "entitled", grant.expires_at)
    return Decision(False, "not_entitled")
