"""Who published which content: only that creator may sell it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from billing import topics
from eventfold.readmodel import Changes, Draft, Key, Projection, PublicRecord, ReadTable, Rows


class OwnerRow(NamedTuple):
    """The creator of a content, who earns from it."""

    content_id: str
    creator_id: str


OWNERS = ReadTable("content_owner", OwnerRow)


def keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    """One row for each published content."""
    return {OWNERS.name: [(event.data["content_id"],) for event in events if event.type == topics.CONTENT_PUBLISHED]}


def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """Content keeps its creator."""
    draft = Draft(rows)
    for event in events:
        if event.type == topics.CONTENT_PUBLISHED:
            draft.put(OWNERS, OwnerRow(event.data["content_id"], event.data["creator_id"]))
    return draft.changes()


CONTENT_OWNERS = Projection(
    "content_owners", (topics.CONTENT,), (OWNERS,), keys, fold, halts=True, partition_local=True
)
