"""Open payments in PostgreSQL: the payment book, and the reconciler's own notes beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.application.ports import OpenPayment
from eventfold.store import Pool

_DUE = """SELECT p.payment_id, p.provider, p.merchant_number, p.changed_at, coalesce(c.checks, 0)
FROM payment_book p LEFT JOIN payment_check c USING (payment_id)
WHERE p.status = 'initiated' AND p.changed_at <= %(initiated_before)s
  AND (c.next_at IS NULL OR c.next_at <= %(now)s)
ORDER BY coalesce(c.next_at, p.changed_at), p.payment_id LIMIT %(limit)s"""

_LOOKED = """INSERT INTO payment_check (payment_id, checks, next_at) VALUES (%s, 1, %s)
ON CONFLICT (payment_id) DO UPDATE SET checks = payment_check.checks + 1, next_at = EXCLUDED.next_at"""


class PostgresOpenPayments:
    """See `OpenPayments`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def due(self, now: datetime, initiated_before: datetime, limit: int) -> Sequence[OpenPayment]:
        """See `OpenPayments.due`."""
        values = {"now": now, "initiated_before": initiated_before, "limit": limit}
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_DUE, values)).fetchall()
        return [OpenPayment(*row) for row in rows]

    async def looked_at(self, payment: OpenPayment, next_at: datetime) -> None:
        """See `OpenPayments.looked_at`."""
        async with self._pool.connection() as conn:
            await conn.execute(_LOOKED, [payment.payment_id, next_at])
