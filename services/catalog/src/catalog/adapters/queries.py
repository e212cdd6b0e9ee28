"""Queries over the catalog's projections."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from catalog.domain.access import Grant
from catalog.projections.contents import CommentRow, ContentRow, CounterRow
from eventfold.store import Pool
from servicekit.paging import Place

_LIST = """SELECT i.content_id, creator_id, kind, title, excerpt, tags, access, published_at,
       coalesce(views, 0), coalesce(likes, 0), coalesce(comments, 0), coalesce(shares, 0), coalesce(ratings, 0),
       coalesce(rating_sum, 0), coalesce(completions, 0)
FROM content_index i LEFT JOIN content_counter c USING (content_id)
WHERE (%(creator)s::text IS NULL OR creator_id = %(creator)s)
  AND (%(tag)s::jsonb IS NULL OR tags @> %(tag)s::jsonb)
  AND (%(before)s::timestamptz IS NULL OR (published_at, i.content_id) < (%(before)s::timestamptz, %(after_id)s))
ORDER BY published_at DESC, i.content_id DESC LIMIT %(limit)s"""


class Queries:
    """Reads feed, counters, comments and the access mirror."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def contents(
        self, creator_id: str | None, tag: str | None, after: Place | None, limit: int
    ) -> list[tuple[ContentRow, CounterRow]]:
        """A page of the feed, newest first."""
        arguments = {
            "creator": creator_id, "tag": orjson.dumps([tag]).decode() if tag else None, "limit": limit,
            "before": after.at if after else None, "after_id": after.id if after else "",
        }  # fmt: skip
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_LIST, arguments)).fetchall()
        return [(ContentRow._make(row[:8]), CounterRow._make([row[0], *row[8:]])) for row in rows]

    async def counters(self, content_id: str) -> CounterRow:
        """How often members did what; zeros where nothing happened yet."""
        async with self._pool.connection() as conn:
            query = f"SELECT {', '.join(CounterRow._fields)} FROM content_counter WHERE content_id = %s"  # noqa: S608
            row = await (await conn.execute(query, [content_id])).fetchone()
        return CounterRow._make(row) if row else CounterRow(content_id, 0, 0, 0, 0, 0, 0, 0)

    async def comments(self, content_id: str, after: Place | None, limit: int) -> Sequence[CommentRow]:
        """A page of comments, oldest first."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                """SELECT content_id, comment_id, member_id, commented_at FROM content_comment
                   WHERE content_id = %(content)s AND (%(at)s::timestamptz IS NULL
                         OR (commented_at, comment_id) > (%(at)s::timestamptz, %(id)s))
                   ORDER BY commented_at, comment_id LIMIT %(limit)s""",
                {"content": content_id, "at": after.at if after else None, "id": after.id if after else "",
                 "limit": limit},
            )  # fmt: skip
            return [CommentRow._make(row) for row in await cursor.fetchall()]

    async def grant(self, member_id: str, product_id: str) -> Grant | None:
        """The member's longest-lasting entitlement to a product."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                """SELECT expires_at FROM access_mirror WHERE member_id = %s AND product_id = %s
                   ORDER BY expires_at DESC NULLS FIRST LIMIT 1""",
                [member_id, product_id],
            )
            row = await cursor.fetchone()
        return Grant(row[0]) if row else None
