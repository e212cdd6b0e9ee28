"""Orders, one by one and by member."""

from __future__ import annotations

from collections.abc import Collection

from billing.order.projections import ORDERS, OrderRow
from billing.reading import before, rows_of
from eventfold import Pool
from servicekit.paging import PageStart

_ORDER = f"SELECT {', '.join(ORDERS.columns)} FROM order_book"  # noqa: S608 - declared names


class Members:
    """Reads who is a member, as far as identity's events have been folded."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def known(self, member_ids: Collection[str]) -> frozenset[str]:
        """Those of them that are."""
        rows = await rows_of(self._pool, "SELECT member_id FROM member WHERE member_id = ANY(%s)", [list(member_ids)])
        return frozenset(row[0] for row in rows)


class Orders:
    """Reads the order book."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, order_id: str) -> OrderRow | None:
        """An order; None if there is none of that id (yet)."""
        rows = await rows_of(self._pool, f"{_ORDER} WHERE order_id = %s", [order_id])
        return OrderRow._make(rows[0]) if rows else None

    async def of_member(self, member_id: str, after: PageStart | None, limit: int) -> list[OrderRow]:
        """A member's orders, newest first."""
        below, values = before("placed_at", "order_id", after)
        sql = f"{_ORDER} WHERE member_id = %s{below} ORDER BY placed_at DESC, order_id DESC LIMIT %s"
        return [OrderRow._make(row) for row in await rows_of(self._pool, sql, [member_id, *values, limit])]
