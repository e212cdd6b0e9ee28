"""From private events of content to public ones. Bodies, media bytes and bylines stay private."""

from __future__ import annotations

import hashlib

from catalog.content.domain import ContentPublished
from contracts.events import catalog as public
from eventfold import PublicEvent, Recorded


def to_public(recorded: Recorded) -> PublicEvent | None:
    """The public form of an event of this slice."""
    return _published(recorded, recorded.event) if isinstance(recorded.event, ContentPublished) else None


def _published(recorded: Recorded, event: ContentPublished) -> PublicEvent:
    work = event.work
    return public.CONTENT_PUBLISHED(
        {
            "content_id": recorded.partition_key,
            "creator_id": event.creator_id,
            "kind": work.kind,
            "title": work.title,
            "excerpt": work.excerpt,
            "tags": list(work.tags),
            "category": work.category,
            "access": work.access,
            "body_sha256": hashlib.sha256(work.body.encode()).hexdigest() if work.body else None,
            "media_uri": work.media.uri if work.media else None,
            "duration_ms": work.media.duration_ms if work.media else None,
            "lesson_count": len(work.lessons),
            "published_at": recorded.occurred_at,
        }
    )
