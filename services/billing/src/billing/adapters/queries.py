"""Queries over billing's read tables. Lists are paged by key: `after` is the last row of the page before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from billing.projections.entitlements import TABLE as ENTITLEMENTS
from billing.projections.entitlements import EntitlementRow
from billing.projections.ledger import LEDGER, POSTINGS, BalanceRow, PostingRow
from billing.projections.orders import ORDERS, OrderRow
from billing.projections.prices import PRICES, PriceRow
from eventfold import Pool
from servicekit.paging import Place


class Progress(NamedTuple):
    """How far a projection has come on one partition."""

    topic: str
    partition: int
    seq: int
    applied_at: datetime


class TrialBalance(NamedTuple):
    """Accounts as the ledger knew them at one moment, and how far it had come."""

    lines: list[BalanceRow]
    progress: list[Progress]


_ORDER = f"SELECT {', '.join(ORDERS.columns)} FROM order_book"  # noqa: S608 - declared names
_POSTING = f"SELECT {', '.join(POSTINGS.columns)} FROM posting"  # noqa: S608 - declared names
_ENTITLEMENT = f"SELECT {', '.join(ENTITLEMENTS.columns)} FROM entitlement"  # noqa: S608 - declared names
_PRICE = f"SELECT {', '.join(PRICES.columns)} FROM product_price WHERE product_id = %s"  # noqa: S608 - declared names

_BALANCES = "SELECT account, currency, debit_minor, credit_minor, postings FROM account_balance ORDER BY 1, 2"
_BALANCES_AS_OF = """SELECT account, currency, sum(greatest(amount_minor, 0))::bigint,
  sum(greatest(-amount_minor, 0))::bigint, count(*) FROM posting WHERE occurred_at <= %s GROUP BY 1, 2 ORDER BY 1, 2"""
_PROGRESS = (
    "SELECT topic, partition, seq, applied_at FROM fold_position WHERE projection = %s AND NOT closed "
    "ORDER BY topic, partition"
)


class Queries:
    """Reads projections; each method is one bounded query or one snapshot."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def order(self, order_id: str) -> OrderRow | None:
        """An order; None if there is none of that id (yet)."""
        rows = await self._rows(f"{_ORDER} WHERE order_id = %s", [order_id])
        return OrderRow._make(rows[0]) if rows else None

    async def orders(self, member_id: str, after: Place | None, limit: int) -> list[OrderRow]:
        """A member's orders, newest first."""
        before, values = _before("placed_at", "order_id", after)
        sql = f"{_ORDER} WHERE member_id = %s{before} ORDER BY placed_at DESC, order_id DESC LIMIT %s"
        return [OrderRow._make(row) for row in await self._rows(sql, [member_id, *values, limit])]

    async def entitlements(self, member_id: str, after: Place | None, limit: int) -> list[EntitlementRow]:
        """What a member may use, newest first."""
        before, values = _before("granted_at", "entitlement_id", after)
        sql = f"{_ENTITLEMENT} WHERE member_id = %s{before} ORDER BY granted_at DESC, entitlement_id DESC LIMIT %s"
        return [EntitlementRow._make(row) for row in await self._rows(sql, [member_id, *values, limit])]

    async def price(self, product_id: str) -> PriceRow | None:
        """A product's present price."""
        rows = await self._rows(_PRICE, [product_id])
        return PriceRow._make(rows[0]) if rows else None

    async def postings(self, account: str, order_id: str, after: Place | None, limit: int) -> list[PostingRow]:
        """Postings, newest first; an empty `account` or `order_id` means any."""
        before, values = _before("occurred_at", "posting_id", after)
        wanted = [("account", account), ("order_id", order_id)]
        filters = "".join(f" AND {column} = %s" for column, value in wanted if value)
        sql = f"{_POSTING} WHERE true{filters}{before} ORDER BY occurred_at DESC, posting_id DESC LIMIT %s"
        given = [value for _, value in wanted if value]
        return [PostingRow._make(row) for row in await self._rows(sql, [*given, *values, limit])]

    async def trial_balance(self, as_of: datetime | None) -> TrialBalance:
        """Totals per account and currency, of postings up to `as_of` (None: all), in one snapshot with the progress."""
        async with self._pool.connection() as conn, conn.transaction():
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            sql, values = (_BALANCES, []) if as_of is None else (_BALANCES_AS_OF, [as_of])
            lines = await (await conn.execute(sql, values)).fetchall()
            progress = await (await conn.execute(_PROGRESS, [LEDGER.name])).fetchall()
        return TrialBalance([BalanceRow._make(row) for row in lines], [Progress._make(row) for row in progress])

    async def owners(self, content_ids: Collection[str]) -> Mapping[str, str]:
        """Content id to creator id, for those that are known."""
        sql = "SELECT content_id, creator_id FROM content_owner WHERE content_id = ANY(%s)"
        return {row[0]: row[1] for row in await self._rows(sql, [list(content_ids)])}

    async def _rows(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as conn:
            return await (await conn.execute(sql, values)).fetchall()


def _before(time_column: str, id_column: str, after: Place | None) -> tuple[str, list[Any]]:
    """The condition (and its values) of a page that continues below `after`."""
    return ("", []) if after is None else (f" AND ({time_column}, {id_column}) < (%s, %s)", list(after))
