"""Postings, and balances with how far the ledger had come."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from billing.ledger.projections import LEDGER, POSTINGS, BalanceRow, PostingRow
from billing.reading import before, rows_of
from eventfold import Pool
from servicekit.paging import PageStart


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


_POSTING = f"SELECT {', '.join(POSTINGS.columns)} FROM posting"  # noqa: S608 - declared names

_BALANCES = "SELECT account, currency, debit_minor, credit_minor, postings FROM account_balance ORDER BY 1, 2"
_BALANCES_AS_OF = """SELECT account, currency, sum(greatest(amount_minor, 0))::bigint,
  sum(greatest(-amount_minor, 0))::bigint, count(*) FROM posting WHERE occurred_at <= %s GROUP BY 1, 2 ORDER BY 1, 2"""
_PROGRESS = (
    "SELECT topic, partition, seq, applied_at FROM fold_position WHERE projection = %s AND NOT closed "
    "ORDER BY topic, partition"
)


class Postings:
    """Reads the ledger; each method is one bounded query or one snapshot."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, account: str, order_id: str, after: PageStart | None, limit: int) -> list[PostingRow]:
        """Postings, newest first; an empty `account` or `order_id` means any."""
        below, values = before("occurred_at", "posting_id", after)
        wanted = [("account", account), ("order_id", order_id)]
        filters = "".join(f" AND {column} = %s" for column, value in wanted if value)
        sql = f"{_POSTING} WHERE true{filters}{below} ORDER BY occurred_at DESC, posting_id DESC LIMIT %s"
        given = [value for _, value in wanted if value]
        return [PostingRow._make(row) for row in await rows_of(self._pool, sql, [*given, *values, limit])]

    async def trial_balance(self, as_of: datetime | None) -> TrialBalance:
        """Totals per account and currency, of postings up to `as_of` (None: all), in one snapshot with the progress."""
        async with self._pool.connection() as conn, conn.transaction():
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            sql, values = (_BALANCES, []) if as_of is None else (_BALANCES_AS_OF, [as_of])
            lines = await (await conn.execute(sql, values)).fetchall()
            progress = await (await conn.execute(_PROGRESS, [LEDGER.name])).fetchall()
        return TrialBalance([BalanceRow._make(row) for row in lines], [Progress._make(row) for row in progress])
