"""Bylines, opened under their creators' keys."""

from __future__ import annotations

from eventfold import Pool, Sealed, SubjectKeys
from eventfold.errors import KeyDestroyed


class Bylines:
    """Opens sealed bylines; that of an erased creator reads as empty."""

    def __init__(self, pool: Pool, keys: SubjectKeys) -> None:
        self._pool = pool
        self._keys = keys

    async def open(self, byline: Sealed | None) -> str:
        """The plain byline."""
        if byline is None:
            return ""
        try:
            async with self._pool.connection() as conn:
                return (await self._keys.get(conn, [byline.subject_id]))[byline.subject_id].open(byline)
        except KeyDestroyed:
            return ""
