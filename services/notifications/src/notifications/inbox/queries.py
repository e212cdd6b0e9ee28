"""Reading inboxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from eventfold import Pool
from notifications.inbox.projections import NotificationRow
from servicekit.paging import PageStart

MOST_UNREAD = 100
"""Unread notifications are counted up to this many."""
LATEST = 20
"""How many of each member's newest notifications a stream looks at. The list shows all, if more come at once."""
_COLUMNS = ", ".join(NotificationRow._fields)
_LIST = f"""SELECT {_COLUMNS} FROM notification
WHERE member_id = %(member)s
  AND (%(before)s::timestamptz IS NULL OR (occurred_at, notification_id) < (%(before)s::timestamptz, %(before_id)s))
ORDER BY occurred_at DESC, notification_id DESC LIMIT %(limit)s"""  # noqa: S608 - names of columns
_UNREAD = """SELECT count(*) FROM (
  SELECT FROM notification WHERE member_id = %(member)s
  AND occurred_at > coalesce((SELECT read_until FROM inbox_read WHERE member_id = %(member)s), '-infinity')
  LIMIT %(most)s) AS unread"""
_READ = "SELECT read_until FROM inbox_read WHERE member_id = %s"
_NEWEST = f"""SELECT {_COLUMNS} FROM unnest(%s::text[]) AS asked (id) CROSS JOIN LATERAL (
  SELECT * FROM notification WHERE member_id = asked.id ORDER BY occurred_at DESC, notification_id DESC LIMIT %s
) AS newest"""  # noqa: S608


class Inboxes:
    """Reads what is folded."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, member_id: str, after: PageStart | None, limit: int) -> list[NotificationRow]:
        """A member's, the newest first."""
        before, before_id = (after.at, after.id) if after else (None, "")
        arguments = {"member": member_id, "before": before, "before_id": before_id, "limit": limit}
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_LIST, arguments)).fetchall()
        return [NotificationRow._make(row) for row in rows]

    async def read_state(self, member_id: str) -> tuple[int, datetime | None]:
        """How many are unread, at most `MOST_UNREAD`, and up to when the others are read."""
        async with self._pool.connection() as conn:
            found = await (await conn.execute(_UNREAD, {"member": member_id, "most": MOST_UNREAD})).fetchone()
            read = await (await conn.execute(_READ, [member_id])).fetchone()
        return int(found[0]) if found else 0, read[0] if read else None

    async def newest(self, member_ids: Sequence[str]) -> Mapping[str, tuple[NotificationRow, ...]]:
        """The newest `LATEST` of each of these members, the newest first; who has none is left out."""
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_NEWEST, [list(member_ids), LATEST])).fetchall()
        found: dict[str, list[NotificationRow]] = {}
        for row in map(NotificationRow._make, rows):
            found.setdefault(row.member_id, []).append(row)
        return {member_id: tuple(own) for member_id, own in found.items()}
