"""Members with their registration times, and content with its publication times."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import catalog, identity
from eventfold import ReadTable, least, on, projection, puts, sets

COMMUNITY_ROLES: Final = ("consumer", "creator")
"""Accounts of these roles are the members that the metrics count; operators' accounts are not."""


class MemberRow(NamedTuple):
    """An account, its present role and when it was registered."""

    member_id: str
    role: str
    registered_at: datetime


class ContentRow(NamedTuple):
    """Content and when it was first published."""

    content_id: str
    published_at: datetime


MEMBERS: Final = ReadTable("member", MemberRow)
CONTENTS: Final = ReadTable("content", ContentRow)


# A member's events share a stream, so they arrive in order: the registration before any role.
REGISTRY: Final = projection(
    "registry",
    puts(MEMBERS, identity.MEMBER_REGISTERED),
    on(MEMBERS, identity.MEMBER_ROLE_GRANTED, sets(role=lambda data: data["role"]), known_only=True),
    on(CONTENTS, catalog.CONTENT_PUBLISHED, least(published_at=lambda data: data["published_at"])),
)
