"""What runs under a lease: by which name this process is its holder, and the due-date worker."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime

from eventfold.due import DueHandler
from eventfold.due_worker import DueWorker
from servicekit.definition import Wiring


def holder() -> str:
    """This process, as leases name it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def due_worker(wiring: Wiring, handlers: Sequence[DueHandler]) -> DueWorker:
    """The service's due-date worker, not yet running: for `ServiceDefinition.background`."""
    return DueWorker(
        name=f"due.{wiring.definition.name}", holder=holder(), connect=wiring.connect, store=wiring.store,
        handlers=handlers, clock=lambda: datetime.now(UTC), rng=wiring.rng,
    )  # fmt: skip
