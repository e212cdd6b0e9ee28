"""Reads the ledgers: one as it is recorded, all of a period as far as they have been folded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from eventfold import EventStore, Pool
from metrics.release.domain.budget import LEDGER, Ledger, ledger_id
from metrics.release.projections import BUDGET_ROWS, BudgetRow
from servicekit.paging import PageStart, page_token, parse_page_token

_PAGE: Final = (
    f"SELECT {', '.join(BUDGET_ROWS.columns)} FROM privacy_budget "  # noqa: S608 - declared names
    "WHERE period = %s AND owner > %s ORDER BY owner LIMIT %s"
)
_ANY_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The list is ordered by owner alone."""


class Budgets:
    """Ledgers of owners and periods."""

    def __init__(self, store: EventStore, pool: Pool) -> None:
        self._store = store
        self._pool = pool

    async def of(self, owner: str, period: str) -> Ledger:
        """One ledger as it is recorded."""
        found: Ledger = await self._store.current(LEDGER.at(ledger_id(owner, period)))
        return found

    async def page(self, period: str, token: str, limit: int) -> tuple[Sequence[BudgetRow], str]:
        """The ledgers of a period by owner, and the token of the next page. Raises `InvalidInput` for a token that is
        none of this list."""
        start = parse_page_token(token)
        async with self._pool.connection() as conn:
            values = [period, start.id if start else "", limit + 1]
            rows = await (await conn.execute(_PAGE.encode(), values)).fetchall()
        found = [BudgetRow._make(row) for row in rows]
        following = page_token(PageStart(_ANY_TIME, found[limit - 1].owner)) if len(found) > limit else ""
        return found[:limit], following
