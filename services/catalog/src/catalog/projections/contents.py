"""Feed and counters: what is published and what members did with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from eventfold.readmodel import Changes, Draft, Key, Projection, PublicRecord, ReadTable, Rows

CONTENT_TOPIC = "lyceum.catalog.content"
INTERACTION_TOPIC = "lyceum.catalog.interaction"
LEARNING_TOPIC = "lyceum.catalog.learning"


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
    views: int
    likes: int
    comments: int
    shares: int
    ratings: int
    rating_sum: int
    completions: int


class CommentRow(NamedTuple):
    """Where a comment stands; its sealed text stays in the interaction's stream."""

    content_id: str
    comment_id: str
    member_id: str
    commented_at: datetime


CONTENTS = ReadTable("content_index", ContentRow)
COUNTERS = ReadTable("content_counter", CounterRow)
COMMENTS = ReadTable("content_comment", CommentRow, key_columns=2)

_COUNTED = {
    f"{INTERACTION_TOPIC}.viewed.v1": ("views", 1),
    f"{INTERACTION_TOPIC}.liked.v1": ("likes", 1),
    f"{INTERACTION_TOPIC}.unliked.v1": ("likes", -1),
    f"{INTERACTION_TOPIC}.commented.v1": ("comments", 1),
    f"{INTERACTION_TOPIC}.shared.v1": ("shares", 1),
    f"{LEARNING_TOPIC}.completed.v1": ("completions", 1),
}


def _index_keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    return {CONTENTS.name: [(event.data["content_id"],) for event in events]}


def _index_fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    draft = Draft(rows)
    for event in events:
        if event.type == f"{CONTENT_TOPIC}.published.v1":
            draft.put(CONTENTS, ContentRow(**{name: event.data[name] for name in ContentRow._fields}))
    return draft.changes()


def _counter_keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    return {COUNTERS.name: [(event.data["content_id"],) for event in events]}


def _counter_fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """Sums only, so members' partitions may interleave as they like."""
    draft = Draft(rows)
    for event in events:
        content_id = event.data["content_id"]
        row = draft.get(COUNTERS, (content_id,)) or CounterRow(content_id, 0, 0, 0, 0, 0, 0, 0)
        draft.put(COUNTERS, _counted(row, event))
    return draft.changes()


def _counted(row: CounterRow, event: PublicRecord) -> CounterRow:
    if event.type == f"{INTERACTION_TOPIC}.rated.v1":
        previous = event.data["previous"]
        first = 1 if previous is None else 0
        return row._replace(
            ratings=row.ratings + first, rating_sum=row.rating_sum + event.data["rating"] - (previous or 0)
        )
    if event.type in _COUNTED:
        column, step = _COUNTED[event.type]
        return row._replace(**{column: getattr(row, column) + step})
    return row


def _comment_keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    return {}


def _comment_fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    draft = Draft(rows)
    for event in events:
        if event.type == f"{INTERACTION_TOPIC}.commented.v1":
            data = event.data
            row = CommentRow(data["content_id"], data["comment_id"], data["member_id"], data["occurred_at"])
            draft.put(COMMENTS, row)
    return draft.changes()


INDEX = Projection("content_index", (CONTENT_TOPIC,), (CONTENTS,), _index_keys, _index_fold, partition_local=True)
COUNTING = Projection("content_counter", (INTERACTION_TOPIC, LEARNING_TOPIC), (COUNTERS,), _counter_keys, _counter_fold)
COMMENTING = Projection(
    "content_comment", (INTERACTION_TOPIC,), (COMMENTS,), _comment_keys, _comment_fold, partition_local=True
)
