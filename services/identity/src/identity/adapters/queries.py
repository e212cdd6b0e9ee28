"""Queries over the member directory."""

from __future__ import annotations

from datetime import datetime

from eventfold import Pool


class Directory:
    """Reads the `member_directory` projection."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def registered_at(self, member_id: str) -> datetime | None:
        """When the member registered; None if the fold has not yet applied the registration."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute("SELECT registered_at FROM member_directory WHERE member_id = %s", [member_id])
            row = await cursor.fetchone()
        return row[0] if row else None
