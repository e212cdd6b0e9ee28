"""From private events to public ones. Bodies, media bytes, bylines and comment texts stay private."""

from __future__ import annotations

import hashlib
from typing import Any

from catalog.domain.content import ContentPublished
from catalog.domain.interaction import (
    INTERACTION,
    Commented,
    Completed,
    Liked,
    Rated,
    Shared,
    Unliked,
    Viewed,
    content_of,
)
from eventfold.decider import Recorded
from eventfold.publish import PublicEvent

CONTENT_TOPIC = "lyceum.catalog.content"
INTERACTION_TOPIC = "lyceum.catalog.interaction"
LEARNING_TOPIC = "lyceum.catalog.learning"
TOPICS = (CONTENT_TOPIC, INTERACTION_TOPIC, LEARNING_TOPIC)

_STREAM_PREFIX = len(INTERACTION.stream(""))


def to_public(recorded: Recorded) -> PublicEvent | None:
    """The public form of an event."""
    match recorded.event:
        case ContentPublished() as event:
            return _published(recorded, event)
        case Viewed(watched_ms, _):
            return _interaction(recorded, "viewed", watched_ms=watched_ms)
        case Liked():
            return _interaction(recorded, "liked")
        case Unliked():
            return _interaction(recorded, "unliked")
        case Commented() as event:
            return _interaction(recorded, "commented", comment_id=event.comment_id, length_chars=event.length_chars)
        case Shared(channel, _):
            return _interaction(recorded, "shared", channel=channel)
        case Rated(rating, previous):
            return _interaction(recorded, "rated", rating=rating, previous=previous)
        case Completed():
            return PublicEvent(f"{LEARNING_TOPIC}.completed.v1", _pair(recorded))
        case _:
            return None


def _pair(recorded: Recorded) -> dict[str, Any]:
    content_id = content_of(recorded.stream[_STREAM_PREFIX:])
    return {"member_id": recorded.partition_key, "content_id": content_id, "occurred_at": recorded.occurred_at}


def _interaction(recorded: Recorded, action: str, **data: Any) -> PublicEvent:
    return PublicEvent(f"{INTERACTION_TOPIC}.{action}.v1", {**_pair(recorded), **data})


def _published(recorded: Recorded, event: ContentPublished) -> PublicEvent:
    work = event.work
    data = {
        "content_id": recorded.partition_key, "creator_id": event.creator_id, "kind": work.kind, "title": work.title,
        "excerpt": work.excerpt, "tags": list(work.tags), "category": work.category, "access": work.access,
        "body_sha256": hashlib.sha256(work.body.encode()).hexdigest() if work.body else None,
        "media_uri": work.media.uri if work.media else None,
        "duration_ms": work.media.duration_ms if work.media else None,
        "lesson_count": len(work.lessons), "published_at": recorded.occurred_at,
    }  # fmt: skip
    return PublicEvent(f"{CONTENT_TOPIC}.published.v1", data)
