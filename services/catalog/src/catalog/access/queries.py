"""What members are entitled to, as far as billing has told."""

from __future__ import annotations

from catalog.access.domain import Grant
from eventfold import Pool

_LONGEST = """SELECT expires_at FROM access_mirror WHERE member_id = %s AND product_id = %s
ORDER BY expires_at DESC NULLS FIRST LIMIT 1"""


class Grants:
    """Reads the access mirror."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, member_id: str, product_id: str) -> Grant | None:
        """The member's longest-lasting entitlement to a product."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_LONGEST, [member_id, product_id])).fetchone()
        return Grant(row[0]) if row else None
