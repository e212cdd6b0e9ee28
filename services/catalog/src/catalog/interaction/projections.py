"""Where comments stand."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import catalog as public
from eventfold import FoldGroup, ReadTable, projection, puts


class CommentRow(NamedTuple):
    """Where a comment stands; its sealed text stays in the interaction's stream."""

    content_id: str
    comment_id: str
    member_id: str
    commented_at: datetime


COMMENTS = ReadTable("content_comment", CommentRow, key_columns=2)


COMMENTING = projection(
    "content_comment",
    puts(COMMENTS, public.INTERACTION_COMMENTED, commented_at="occurred_at"),
    partition_local=True,
)

GROUPS: Final = (FoldGroup("feed", (COMMENTING,), parks=True),)
