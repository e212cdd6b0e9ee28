"""From private interactions to public ones. Texts of comments stay private."""

from __future__ import annotations

from catalog.interaction.domain import (
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
from eventfold import PublicEvent, Recorded

_PREFIX = INTERACTION.stream("")


def to_public(recorded: Recorded) -> PublicEvent | None:
    """The public form of an event of this slice."""
    if not recorded.stream.startswith(_PREFIX):
        return None
    content_id = content_of(recorded.stream.removeprefix(_PREFIX))
    pair: public.InteractionLiked = {
        "member_id": recorded.partition_key,
        "content_id": content_id,
        "occurred_at": recorded.occurred_at,
    }
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
