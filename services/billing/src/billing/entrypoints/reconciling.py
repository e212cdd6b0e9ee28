"""The reconciler's loop beside the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from billing.application.reconciling import Reconciler

log = logging.getLogger(__name__)


async def reconcile(reconciler: Reconciler, every_s: float, closing: Callable[[], Awaitable[None]]) -> None:
    """Run passes until cancelled, then await `closing`. A database that is away is waited for; what else fails ends
    the process."""
    try:
        while True:
            await _pass(reconciler)
            await asyncio.sleep(every_s)
    finally:
        await closing()


async def _pass(reconciler: Reconciler) -> None:
    try:
        await reconciler.run_pass(datetime.now(UTC))
    except (OperationalError, PoolTimeout) as failure:
        log.warning("reconciling waits for the database", extra={"why": type(failure).__name__})
