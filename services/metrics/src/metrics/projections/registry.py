"""Members with their registration times, content with what it is, and promotions with their names."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import billing, catalog, identity
from eventfold import ReadTable, least, on, projection, puts, sets

COMMUNITY_ROLES: Final = ("consumer", "creator")
"""Accounts of these roles are the members that the metrics count; operators' accounts are not."""


class MemberRow(NamedTuple):
    """An account, its present role and when it was registered."""

    member_id: str
    role: str
    registered_at: datetime


class ContentRow(NamedTuple):
    """Content: when it was first published, and what its newest publication says."""

    content_id: str
    published_at: datetime
    creator_id: str = ""
    kind: str = ""
    title: str = ""
    tags: list[str] = []  # noqa: RUF012 - never changed
    category: str | None = None
    access: str = ""
    duration_ms: int | None = None


class PromotionRow(NamedTuple):
    """A promotion that orders may name."""

    promotion_id: str
    creator_id: str
    name: str
    starts_at: datetime
    ends_at: datetime


MEMBERS: Final = ReadTable("member", MemberRow)
CONTENTS: Final = ReadTable("content", ContentRow)
PROMOTIONS: Final = ReadTable("promotion", PromotionRow)


# The events of a member share a stream and arrive in order, and so do those of a content.
REGISTRY: Final = projection(
    "registry",
    puts(MEMBERS, identity.MEMBER_REGISTERED),
    on(MEMBERS, identity.MEMBER_ROLE_GRANTED, sets(role="role"), known_only=True),
    on(
        CONTENTS,
        catalog.CONTENT_PUBLISHED,
        least(published_at="published_at"),
        sets(
            creator_id="creator_id",
            kind="kind",
            title="title",
            tags="tags",
            category="category",
            access="access",
            duration_ms="duration_ms",
        ),
    ),
    puts(PROMOTIONS, billing.PROMOTION_SCHEDULED),
)
