"""Counts the database cost of an operation: a count is the same on every machine and under any load."""

from __future__ import annotations

import asyncio
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
    """Count the round trips over all connections of this process meanwhile, but for what a pool does by itself, as
    opening another connection. Run the measured operation once before: its first use may cost more, because later ones
    use what is remembered."""
    cost, wait = Cost(), AsyncConnection.wait

    async def counting(conn: AsyncConnection[Any], asking: Any, *given: Any, **named: Any) -> Any:
        cost.round_trips += not (_asks_nothing(conn, asking) or _in_a_pools_own_task())
        return await wait(conn, asking, *given, **named)

    with mock.patch.object(AsyncConnection, "wait", counting):
        yield cost


def _in_a_pools_own_task() -> bool:
    """psycopg's pool names its tasks after itself."""
    task = asyncio.current_task()
    return task is not None and "-worker-" in task.get_name()


def _asks_nothing(conn: AsyncConnection[Any], asking: Any) -> bool:
    """A pool commits each connection that it gets back. Without an open transaction that is no round trip."""
    return asking.__name__ == "_commit_gen" and conn.info.transaction_status is TransactionStatus.IDLE
