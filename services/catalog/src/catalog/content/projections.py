"""Feed and counters: what is published and what members did with it."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import catalog as public
from eventfold import FoldGroup, ReadTable, adds, field, missing, on, projection, puts


class ContentRow(NamedTuple):
    """A published item in the feed."""

    content_id: str
    creator_id: str
    kind: str
    title: str
    excerpt: str
    tags: list[str]
    access: str
    published_at: datetime


class CounterRow(NamedTuple):
    """How often members did what with an item; `rating_sum` is over present ratings."""

    content_id: str
    views: int = 0
    likes: int = 0
    comments: int = 0
    shares: int = 0
    ratings: int = 0
    rating_sum: int = 0
    completions: int = 0


CONTENTS = ReadTable("content_index", ContentRow)
COUNTERS = ReadTable("content_counter", CounterRow)

INDEX = projection("content_index", puts(CONTENTS, public.CONTENT_PUBLISHED), partition_local=True)
# Sums only, so members' partitions may interleave as they like.
COUNTING = projection(
    "content_counter",
    on(COUNTERS, public.INTERACTION_VIEWED, adds(views=1)),
    on(COUNTERS, public.INTERACTION_LIKED, adds(likes=1)),
    on(COUNTERS, public.INTERACTION_UNLIKED, adds(likes=-1)),
    on(COUNTERS, public.INTERACTION_COMMENTED, adds(comments=1)),
    on(COUNTERS, public.INTERACTION_SHARED, adds(shares=1)),
    on(COUNTERS, public.LEARNING_COMPLETED, adds(completions=1)),
    on(
        COUNTERS,
        public.INTERACTION_RATED,
        adds(ratings=missing("previous"), rating_sum=field("rating") - field("previous", otherwise=0)),
    ),
)

GROUPS: Final = (FoldGroup("feed", (INDEX, COUNTING), parks=True),)
