"""Work under a lease: the name by which this process holds leases, and the due-date worker."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from eventfold import Connection, DueHandler
from eventfold.timers.due_worker import DueWorker
from eventfold.write.standstill import LOCK_WAIT_MS
from servicekit.definition import Wiring


def holder() -> str:
    """The name of this process in leases."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def _connect(wiring: Wiring) -> Connection:
    """A connection for a worker under a lease. A stream locked by another open transaction must not block all other
    streams until the lease is over."""
    conn = await wiring.connect()
    await conn.execute(f"SET lock_timeout = {LOCK_WAIT_MS}")
    return conn


def due_worker(wiring: Wiring, handlers: Sequence[DueHandler]) -> DueWorker:
    """The service's due-date worker, not yet running. For `ServiceDefinition.background`."""
    return DueWorker(
        name=f"due.{wiring.definition.name}",
        holder=holder(),
        connect=partial(_connect, wiring),
        store=wiring.store,
        handlers=handlers,
        clock=lambda: datetime.now(UTC),
        rng=wiring.rng,
    )
