"""The feed and its counters."""

from __future__ import annotations

import orjson

from catalog.content.projections import ContentRow, CounterRow
from eventfold import Pool
from servicekit.paging import PageStart

_LIST = """SELECT i.content_id, creator_id, kind, title, excerpt, tags, access, published_at,
       coalesce(views, 0), coalesce(likes, 0), coalesce(comments, 0), coalesce(shares, 0), coalesce(ratings, 0),
       coalesce(rating_sum, 0), coalesce(completions, 0)
FROM content_index i LEFT JOIN content_counter c USING (content_id)
WHERE (%(creator)s::text IS NULL OR creator_id = %(creator)s)
  AND (%(tag)s::jsonb IS NULL OR tags @> %(tag)s::jsonb)
  AND (%(before)s::timestamptz IS NULL OR (published_at, i.content_id) < (%(before)s::timestamptz, %(after_id)s))
ORDER BY published_at DESC, i.content_id DESC LIMIT %(limit)s"""


class Feed:
    """Reads what is published and what members did with it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def contents(
        self, creator_id: str | None, tag: str | None, after: PageStart | None, limit: int
    ) -> list[tuple[ContentRow, CounterRow]]:
        """A page of the feed, newest first."""
        arguments = {
            "creator": creator_id,
            "tag": orjson.dumps([tag]).decode() if tag else None,
            "limit": limit,
            "before": after.at if after else None,
            "after_id": after.id if after else "",
        }
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_LIST, arguments)).fetchall()
        return [(ContentRow._make(row[:8]), CounterRow._make([row[0], *row[8:]])) for row in rows]

    async def counters(self, content_id: str) -> CounterRow:
        """How often members did what; zeros where nothing happened yet."""
        async with self._pool.connection() as conn:
            query = f"SELECT {', '.join(CounterRow._fields)} FROM content_counter WHERE content_id = %s"  # noqa: S608
            row = await (await conn.execute(query, [content_id])).fetchone()
        return (
            CounterRow._make(row)
            if row
            else CounterRow(
                content_id=content_id, views=0, likes=0, comments=0, shares=0, ratings=0, rating_sum=0, completions=0
            )
        )
