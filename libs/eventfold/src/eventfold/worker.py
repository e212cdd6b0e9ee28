"""The fold worker: a Faust app whose one agent hands partition batches to the fold runner, and halts on any failure.

Halting means leaving the process with a non-zero status: everything that counts is in the database, and the
supervisor's restart begins again at the stored positions. Only what passes by itself (a lost connection, a concurrent
writer, a moved position) is tried again in place, for a bounded time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import faust
from psycopg import OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout
from psycopg_pool import PoolTimeout

from eventfold.errors import StalePosition, VersionConflict
from eventfold.faust_transport import BatchTransport
from eventfold.fold import FoldRunner, PartitionBatch, Run
from eventfold.store import Pool

log = logging.getLogger(__name__)

RETRY_FOR_S = 60.0
RETRY_PAUSE_S = 0.2
HALTED = 70
"""Exit status of a halted worker (sysexits' EX_SOFTWARE)."""

FETCH_RECORDS = 8000
FETCH_BYTES_PER_PARTITION = 4 * 1024 * 1024
BUFFERED_BATCHES = 16
PASSING = (OperationalError, IdleInTransactionSessionTimeout, PoolTimeout, StalePosition, VersionConflict)


async def apply_with_retry(runner: FoldRunner, runs: Sequence[Run]) -> None:
    """Apply a fetch; failures that pass by themselves are tried again for `RETRY_FOR_S`, others raised at once."""
    give_up_at = time.monotonic() + RETRY_FOR_S
    while True:
        try:
            return await runner.apply_decoded(runs)
        except PASSING as failure:
            if time.monotonic() >= give_up_at:
                raise
            log.warning("fetch tried again", extra={"from": _described(runs), "reason": repr(failure)})
        await asyncio.sleep(RETRY_PAUSE_S)


def fold_app(*, group: str, bootstrap: str, runner: FoldRunner, pool: Pool) -> faust.App:
    """The Faust app of a worker. `pool` is opened when the worker starts; `group` is the consumer group."""
    app = faust.App(
        group,
        broker=[f"kafka://{address}" for address in bootstrap.split(",")],
        store="memory://",
        datadir=Path(tempfile.gettempdir()) / f"lyceum-faust-{group}",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=BUFFERED_BATCHES,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_max_poll_records=FETCH_RECORDS,
        broker_commit_interval=1.0,
        consumer_max_fetch_size=FETCH_BYTES_PER_PARTITION,
        consumer_auto_offset_reset="earliest",
    )
    transport = BatchTransport(url=app.conf.broker_consumer, app=app, loop=app.loop)
    transport.start_offsets = _opening(pool, runner)
    app.transport = transport
    topic = app.topic(*runner.topics, key_serializer="raw", value_serializer="raw", internal=True)

    async def fold(stream: Any) -> AsyncIterator[None]:
        """Decode one fetch while the database works on the one before; applying stays strictly in order."""
        decoded: asyncio.Queue[Sequence[Run]] = asyncio.Queue(maxsize=1)
        applying = asyncio.create_task(_apply_in_order(runner, decoded))
        try:
            async for event in stream.events():
                if event.message.value:
                    await decoded.put(_decoded_or_halt(runner, event.message.value))
                yield
        finally:
            applying.cancel()

    app.agent(topic, name=f"{group}.fold", concurrency=1)(fold)
    return app


def _opening(pool: Pool, runner: FoldRunner) -> Any:
    async def start_offsets(partitions: Any) -> Any:
        try:
            await pool.open(wait=True, timeout=RETRY_FOR_S)
            return await runner.start_offsets(partitions)
        except Exception:  # noqa: BLE001 - every failure halts
            _halt("the stored positions cannot be read")

    return start_offsets


def _decoded_or_halt(runner: FoldRunner, batches: Sequence[PartitionBatch]) -> Sequence[Run]:
    try:
        return runner.decode(batches)
    except Exception:  # noqa: BLE001 - every failure halts
        _halt("a record cannot be decoded")


async def _apply_in_order(runner: FoldRunner, decoded: asyncio.Queue[Sequence[Run]]) -> None:
    while True:
        runs = await decoded.get()
        try:
            await apply_with_retry(runner, runs)
        except Exception:  # noqa: BLE001 - every failure halts
            _halt(f"cannot fold {_described(runs)}")


def _described(runs: Sequence[Run]) -> str:
    return ", ".join(f"{run[0].topic}[{run[0].partition}] from offset {run[0].offset}" for run in runs)


def _halt(reason: str) -> NoReturn:
    """Leave at once: Faust would acknowledge the batch and go on."""
    log.critical("worker halts: %s", reason, exc_info=True)
    logging.shutdown()
    os._exit(HALTED)


def run(app: faust.App, loglevel: str = "INFO") -> None:
    """Run the worker until SIGTERM or SIGINT, then leave with its status. Does not return."""
    faust.Worker(app, loglevel=loglevel, override_logging=False).execute_from_commandline()
