"""What members are entitled to, as far as billing has told."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from catalog.access.domain import Grant
from eventfold import Pool

_LONGEST = """SELECT expires_at FROM access_mirror WHERE member_id = %s AND product_id = %s
ORDER BY expires_at DESC NULLS FIRST LIMIT 1"""
_LONGEST_OF_EACH = """SELECT DISTINCT ON (product_id) product_id, expires_at FROM access_mirror
WHERE member_id = %s AND product_id = ANY(%s) ORDER BY product_id, expires_at DESC NULLS FIRST"""


class Grants:
    """Reads the access mirror."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, member_id: str, product_id: str) -> Grant | None:
        """The member's longest-lasting entitlement to a product."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_LONGEST, [member_id, product_id])).fetchone()
        return Grant(row[0]) if row else None

    async def of_each(self, member_id: str, product_ids: Collection[str]) -> Mapping[str, Grant]:
        """The member's longest-lasting entitlement to each product, for those that there are."""
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_LONGEST_OF_EACH, [member_id, list(product_ids)])).fetchall()
        return {product_id: Grant(expires_at) for product_id, expires_at in rows}


class Members:
    """Reads who is a member, as far as identity's events have been folded."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def known(self, member_ids: Collection[str]) -> frozenset[str]:
        """Those of them that are."""
        sql = "SELECT member_id FROM member WHERE member_id = ANY(%s)"
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(sql, [list(member_ids)])).fetchall()
        return frozenset(row[0] for row in rows)
