"""Public events of catalog. Generated from schemas/avro by `make generate`."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict

from eventfold import PublicType


class ContentPublished(TypedDict):
    """Content became readable. Body and media stay with the catalog."""

    content_id: str
    creator_id: str
    kind: str
    """text, image, audio, video or course."""
    title: str
    excerpt: str
    """At most 200 characters."""
    tags: list[str]
    category: str | None
    access: str
    """free or paid."""
    body_sha256: str | None
    """Lower-case hexadecimal."""
    media_uri: str | None
    duration_ms: int | None
    lesson_count: int
    published_at: datetime


class InteractionCommented(TypedDict):
    """A member commented; the text is personal and stays with the catalog."""

    member_id: str
    content_id: str
    comment_id: str
    length_chars: int
    occurred_at: datetime


class InteractionLiked(TypedDict):
    """A member likes content."""

    member_id: str
    content_id: str
    occurred_at: datetime


class InteractionRated(TypedDict):
    """A member rated content, or changed the rating."""

    member_id: str
    content_id: str
    rating: int
    """1 to 5."""
    previous: int | None
    """The rating that this one replaces."""
    occurred_at: datetime


class InteractionShared(TypedDict):
    """A member shared content."""

    member_id: str
    content_id: str
    channel: str
    occurred_at: datetime


class InteractionUnliked(TypedDict):
    """A member no longer likes content."""

    member_id: str
    content_id: str
    occurred_at: datetime


class InteractionViewed(TypedDict):
    """A member looked at content."""

    member_id: str
    content_id: str
    watched_ms: int
    occurred_at: datetime


class LearningCompleted(TypedDict):
    """A member finished content."""

    member_id: str
    content_id: str
    occurred_at: datetime


CONTENT_PUBLISHED: Final = PublicType("lyceum.catalog.content.published.v1", ContentPublished)
INTERACTION_COMMENTED: Final = PublicType("lyceum.catalog.interaction.commented.v1", InteractionCommented)
INTERACTION_LIKED: Final = PublicType("lyceum.catalog.interaction.liked.v1", InteractionLiked)
INTERACTION_RATED: Final = PublicType("lyceum.catalog.interaction.rated.v1", InteractionRated)
INTERACTION_SHARED: Final = PublicType("lyceum.catalog.interaction.shared.v1", InteractionShared)
INTERACTION_UNLIKED: Final = PublicType("lyceum.catalog.interaction.unliked.v1", InteractionUnliked)
INTERACTION_VIEWED: Final = PublicType("lyceum.catalog.interaction.viewed.v1", InteractionViewed)
LEARNING_COMPLETED: Final = PublicType("lyceum.catalog.learning.completed.v1", LearningCompleted)

TOPICS: Final = (
    "lyceum.catalog.content",
    "lyceum.catalog.interaction",
    "lyceum.catalog.learning",
)
"""What catalog emits on, without prefix."""
