"""Orders, one by one and by member."""

from __future__ import annotations

from billing.order.projections import ORDERS, OrderRow
from billing.reading import before, rows_of
from eventfold import Pool
from servicekit.paging import PageStart

_ORDER = f"SELECT {', '.join(ORDERS.columns)} FROM order_book"  # noqa: S608 - declared names


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
