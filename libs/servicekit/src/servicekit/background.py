"""Background tasks of a server: a passing failure restarts the task, and never ends the server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import grpc
from aiokafka.errors import KafkaError
from psycopg import InterfaceError, OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout, ReadOnlySqlTransaction

from eventfold import telemetry
from eventfold.errors import Contention, DeadlineExceeded, LeaseLost, OutcomeUnknown, VersionConflict

log = logging.getLogger(__name__)

PAUSE_FIRST_S, PAUSE_MAX_S = 0.5, 30.0
WELL_AFTER_S = 60.0
"""After running for this long, a task begins with the first pause again."""
STOP_S = 5.0
"""How long all of them together may take to stop. Tasks that still run then are left behind, and named in the log."""
PASSING = (
    OperationalError,
    InterfaceError,
    IdleInTransactionSessionTimeout,
    ReadOnlySqlTransaction,
    OSError,
    KafkaError,
    grpc.aio.AioRpcError,
    Contention,
    DeadlineExceeded,
    LeaseLost,
    OutcomeUnknown,
    VersionConflict,
)
"""Failures of the environment: an empty pool, a lost connection, a timeout, Kafka or a disk that is away. Every other
failure is a mistake in the program, and going on would hide it."""

Work = Callable[[], Awaitable[None]]


async def lasting(name: str, work: Work) -> None:
    """Run `work` until cancelled. After a passing failure, run it again after growing pauses. Raises all other
    failures."""
    pause_s = PAUSE_FIRST_S
    while True:
        began = time.monotonic()
        try:
            await work()
            return
        except PASSING as failure:
            telemetry.BACKGROUND_RESTARTS.labels(name).inc()
            if time.monotonic() - began > WELL_AFTER_S:
                pause_s = PAUSE_FIRST_S
            log.warning("starts again", extra={"background": name, "after_s": pause_s, "reason": repr(failure)})
        await asyncio.sleep(pause_s)
        pause_s = min(PAUSE_MAX_S, pause_s * 2)


@asynccontextmanager
async def beside(works: Mapping[str, Work]) -> AsyncIterator[asyncio.Future[None]]:
    """Run all of `works` until the block ends. Yields a future that completes, with the failure if any, when one of
    them ends."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    tasks = [asyncio.create_task(lasting(name, work), name=name) for name, work in works.items()]

    def tell(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not ended.done():
            ended.set_exception(failure) if (failure := task.exception()) else ended.set_result(None)

    for task in tasks:
        task.add_done_callback(tell)
    try:
        yield ended
    finally:
        await _stop(tasks)
        ended.cancel()


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if not tasks:
        return
    _, left = await asyncio.wait(tasks, timeout=STOP_S)
    for task in left:
        log.error("does not stop", extra={"background": task.get_name(), "waited_s": STOP_S})
