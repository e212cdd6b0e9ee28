"""Comments in their order."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.interaction.projections import CommentRow
from eventfold import Pool
from servicekit.paging import PageStart


class Comments:
    """Reads where comments stand."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, content_id: str, after: PageStart | None, limit: int) -> Sequence[CommentRow]:
        """A page of comments, oldest first."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                """SELECT content_id, comment_id, member_id, commented_at FROM content_comment
                   WHERE content_id = %(content)s AND (%(at)s::timestamptz IS NULL
                         OR (commented_at, comment_id) > (%(at)s::timestamptz, %(id)s))
                   ORDER BY commented_at, comment_id LIMIT %(limit)s""",
                {
                    "content": content_id,
                    "at": after.at if after else None,
                    "id": after.id if after else "",
                    "limit": limit,
                },
            )
            return [CommentRow._make(row) for row in await cursor.fetchall()]
