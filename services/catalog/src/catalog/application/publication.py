"""From private events to public ones. Bodies, media bytes, bylines and comment texts stay private."""

from __future__ import annotations

import hashlib

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
from contracts.events import catalog as public
from eventfold.decider import Recorded
from eventfold.public import PublicEvent

_STREAM_PREFIX = len(INTERACTION.stream(""))


def to_public(recorded: Recorded) -> PublicEvent | None:
    """The public form of an event."""
    if isinstance(recorded.event, ContentPublished):
        return _published(recorded, recorded.event)
    return _of_interaction(recorded)


def _of_interaction(recorded: Recorded) -> PublicEvent | None:
    content_id = content_of(recorded.stream[_STREAM_PREFIX:])
    pair: public.InteractionLiked = {
        "member_id": recorded.partition_key, "content_id": content_id, "occurred_at": recorded.occurred_at,
    }  # fmt: skip
    match recorded.event:
        case Viewed(watched_ms, _):
            return public.INTERACTION_VIEWED({**pair, "watched_ms": watched_ms})
        case Liked():
            return public.INTERACTION_LIKED(pair)
        case Unliked():
            return public.INTERACTION_UNLIKED({**pair})
        case Commented() as event:
            return public.INTERACTION_COMMENTED(
                {**pair, "comment_id": event.comment_id, "length_chars": event.length_chars}
            )
        case Shared(channel, _):
            return public.INTERACTION_SHARED({**pair, "channel": channel})
        case Rated(rating, previous):
            return public.INTERACTION_RATED({**pair, "rating": rating, "previous": previous})
        case Completed():
            return public.LEARNING_COMPLETED({**pair})
        case _:
            return None


def _published(recorded: Recorded, event: ContentPublished) -> PublicEvent:
    work = event.work
    return public.CONTENT_PUBLISHED({
        "content_id": recorded.partition_key, "creator_id": event.creator_id, "kind": work.kind, "title": work.title,
        "excerpt": work.excerpt, "tags": list(work.tags), "category": work.category, "access": work.access,
        "body_sha256": hashlib.sha256(work.body.encode()).hexdigest() if work.body else None,
        "media_uri": work.media.uri if work.media else None,
        "duration_ms": work.media.duration_ms if work.media else None,
        "lesson_count": len(work.lessons), "published_at": recorded.occurred_at,
    })  # fmt: skip
