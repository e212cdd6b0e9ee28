"""What runs beside a server: a failure that passes makes it start again, and never ends what serves."""

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
"""Who ran for so long begins with the first pause again."""
STOP_S = 5.0
"""How long all of it may take to stop; what still runs then is left behind, and named."""
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
"""What the surroundings do to us: a pool that is empty, a connection that is lost, a time that is over, Kafka or a disk
that is away. All else is a mistake in the program, and going on would hide it."""

Work = Callable[[], Awaitable[None]]


async def lasting(name: str, work: Work) -> None:
    """Run `work` until cancelled, again after growing pauses wherever it ends by what passes. Raises what does not."""
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
    """Run all of `works` until the block ends. Yields what completes, with its failure, when one of them ends."""
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
