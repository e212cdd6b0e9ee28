"""What something costs at the database, counted: a count is the same on any machine and in any mood of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus


@dataclass(slots=True)
class Cost:
    """Round trips to PostgreSQL: statements, and the beginnings and ends of transactions."""

    round_trips: int = 0


@contextlib.asynccontextmanager
async def counted() -> AsyncIterator[Cost]:
    """Count what is asked over any connection of this process meanwhile. The first use of something may cost more than
    the next (what is remembered is not read again): have it used before."""
    cost, wait = Cost(), AsyncConnection.wait

    async def counting(conn: AsyncConnection[Any], asking: Any, *given: Any, **named: Any) -> Any:
        cost.round_trips += not _asks_nothing(conn, asking)
        return await wait(conn, asking, *given, **named)

    with mock.patch.object(AsyncConnection, "wait", counting):
        yield cost


def _asks_nothing(conn: AsyncConnection[Any], asking: Any) -> bool:
    """A pool commits what it gets back, which asks nothing where no transaction is open."""
    return asking.__name__ == "_commit_gen" and conn.info.transaction_status is TransactionStatus.IDLE
