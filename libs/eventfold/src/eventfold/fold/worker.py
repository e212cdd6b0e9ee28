"""The fold worker: a Faust app whose one agent hands partition batches to the fold runner and halts on any failure.

To halt means to leave the process with a non-zero status. All durable state is in the database: after the supervisor's
restart, the worker begins again at the stored positions. Only failures that pass by themselves (a lost connection, a
concurrent writer, a moved position) are retried in place, for a bounded time.

When a handler has crossed over to another generation of a topic, the worker leaves its consumer group in order and
starts anew in the same process, to read the topics that its handlers read now.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import faust
from aiokafka.errors import KafkaError
from faust.types import TP
from psycopg import OperationalError

from eventfold import telemetry
from eventfold.fold import crossing, halting
from eventfold.fold.faust_transport import BatchTransport
from eventfold.fold.garbage import collect_less
from eventfold.fold.lag import FoldLag
from eventfold.fold.passing import LOST_PLACE, PASSING
from eventfold.fold.positions import check_within
from eventfold.fold.progress import Progress
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch, Run
from eventfold.postgres import sessions
from eventfold.postgres.sessions import Connection, Pool
from eventfold.publish import witness
from eventfold.publish.brokers import Brokers
from eventfold.publish.generations import logical, number
from eventfold.publish.lag import LOOK_EVERY_S
from eventfold.publish.topics import existing_topics
from eventfold.vocabulary.public import TopicPartition

log = logging.getLogger(__name__)

RETRY_FOR_S = 60.0
RETRY_PAUSE_S = 0.2
LEAVE_WITHIN_S = 15.0
HALTED = 70
"""Exit status of a halted worker (sysexits' EX_SOFTWARE)."""

SESSION_TIMEOUT_S, HEARTBEAT_EVERY_S = 7.0, 2.0
AWAY_S = 45.0
"""How long the place of a static member is kept: a pod that is replaced is back by then."""
CONTESTED_TIMES, CONTESTED_WITHIN_S = 3, 120.0
"""The partitions of a killed worker wait for the session timeout, also if a new worker replaces it; they are read again
within 10 s. Heartbeats have their own thread and loop, so that a long transaction does not look like a dead worker."""

FETCH_RECORDS, MERGED_FETCH_RECORDS = 8000, 16_000
"""Records of a fetch, and of one that no handler takes event by event: twice as many then need less memory."""
FETCH_BYTES_PER_PARTITION = 4 * 1024 * 1024
BUFFERED_BATCHES = 16


async def apply_with_retry(runner: FoldRunner, runs: Sequence[Run]) -> None:
    """Apply a fetch. Failures that pass by themselves are retried for `RETRY_FOR_S`; others are raised at once."""
    give_up_at = time.monotonic() + RETRY_FOR_S
    while True:
        try:
            return await runner.apply_decoded(runs)
        except PASSING as failure:
            if time.monotonic() >= give_up_at:
                raise
            log.warning("fetch tried again", extra={"from": _described(runs), "reason": repr(failure)})
        await asyncio.sleep(RETRY_PAUSE_S)


async def learn_topics(brokers: Brokers, runner: FoldRunner, pool: Pool) -> crossing.Names:
    """The generation of each topic that the handlers read now. Opens a connection of its own.

    Raises `TopicLost`, `TopicMisconfigured`, and the errors of PostgreSQL and Kafka.
    """
    existing = await existing_topics(brokers)
    async with await sessions.connect(str(pool.conninfo)) as conn:
        await _leave(conn, brokers, runner, existing)
        names = await crossing.names(conn, runner.wanted, existing)
        await crossing.check_partitions(conn, set(names.values()), existing)
    return names


async def _leave(conn: Connection, brokers: Brokers, runner: FoldRunner, existing: Mapping[str, int]) -> None:
    """Move handlers to a later generation if theirs is gone, or holds events that never happened. They do not read the
    old one to its end."""
    for (handler, topic), old in (await crossing.reached(conn, runner.wanted)).items():
        later = sorted((n for n in existing if logical(n) == topic and number(n) > number(old)), key=number)
        openings = {name: await witness.opening_of(brokers, name, existing[name]) for name in later}
        instead = next((name for name in later if openings[name].instead), None)
        new = instead or (later[-1] if later and old not in existing else None)
        if new:
            await runner.over(conn, handler, old, new, existing[new], openings[new].histories)


async def _regain(brokers: Brokers, runner: FoldRunner, partitions: Sequence[TopicPartition]) -> None:
    """Let handlers that lost their places on these partitions find them again."""
    misfits = await runner.misfits(partitions, witness.looks_at(brokers))
    if not misfits:
        return
    counts = await existing_topics(brokers)
    for one in misfits:
        topic = one.place[0]
        opening = await witness.opening_of(brokers, topic, counts[topic])
        await runner.find_again(one, counts[topic], opening.histories, partial(witness.continues_at, brokers))


async def _learned(brokers: Brokers, runner: FoldRunner, pool: Pool) -> crossing.Names:
    give_up_at = time.monotonic() + RETRY_FOR_S
    while True:
        try:
            return await learn_topics(brokers, runner, pool)
        except (OperationalError, KafkaError):
            if time.monotonic() >= give_up_at:
                raise
        await asyncio.sleep(RETRY_PAUSE_S)


def _follow(brokers: Brokers, runner: FoldRunner, pool: Pool) -> None:
    """Blocks, in a thread of its own: Faust's loop must not exist yet, and no other loop may be left behind."""
    try:
        with ThreadPoolExecutor(1) as thread:
            runner.follow(thread.submit(asyncio.run, _learned(brokers, runner, pool)).result())
    except Exception:  # noqa: BLE001 - every failure halts
        _halt("it cannot be learnt which topics to read")


@dataclass(frozen=True)
class Member:
    """A static member of a consumer group (KIP-345): its name there, which it keeps over restarts and which no other
    has at the same time, and how long its partitions wait for it."""

    name: str
    away_s: float = AWAY_S


def fold_app(
    *,
    group: str,
    brokers: Brokers,
    runner: FoldRunner,
    pool: Pool,
    linger_s: float = 0.0,
    progress: Progress | None = None,
    member: Member | None = None,
) -> faust.App:
    """The Faust app of a worker. `pool` is opened when the worker starts; `group` is the consumer group. `progress` is
    told every `LOOK_EVERY_S` what moves.

    With a name of its own (`member`) a worker is a static member of its group: it may end and come back under that
    name, and no partition changes hands. Two of one name take the place from each other: each halts when it has lost it
    `CONTESTED_TIMES` times.

    `linger_s` is for a worker that need not be up to date at once. At a low rate of records it limits the worker to `1
    / linger_s` transactions a second; each costs about as much as folding a hundred events.

    Asks the database and Kafka which topics to read. This blocks, and halts the process if they cannot tell.
    `eventfold_fold_ready` is 0 from here on until the worker reads.
    """
    telemetry.FOLD_READY.labels(group).set(0)
    _follow(brokers, runner, pool)
    app = faust.App(
        group,
        **brokers.faust(),
        store="memory://",
        datadir=Path(tempfile.gettempdir()) / f"eventfold-{os.getuid()}",  # Faust makes it; nothing is kept there
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,  # there are no tables; with standbys Faust leaves a third worker idle
        stream_wait_empty=False,
        stream_buffer_maxsize=BUFFERED_BATCHES,
        consumer_group_instance_id=member.name if member else None,
        broker_session_timeout=member.away_s if member else SESSION_TIMEOUT_S,
        broker_heartbeat_interval=HEARTBEAT_EVERY_S,
        broker_max_poll_records=fetch_records(runner),
        broker_commit_interval=1.0,
        consumer_max_fetch_size=FETCH_BYTES_PER_PARTITION,
        consumer_auto_offset_reset="earliest",
    )
    transport = BatchTransport(url=app.conf.broker_consumer, app=app, loop=app.loop)
    transport.start_offsets = _opening(brokers, pool, runner)
    transport.linger_s = linger_s
    app.transport = transport
    topic = app.topic(*runner.topics, key_serializer="raw", value_serializer="raw", internal=True)

    async def fold(stream: Any) -> AsyncIterator[None]:
        """Decode one fetch while the database works on the one before; fetches are applied strictly in order. Decoding
        in a thread would be slower: both threads would compete for the interpreter lock and for the CPU caches."""
        decoded: asyncio.Queue[Sequence[Run]] = asyncio.Queue(maxsize=1)
        applying = asyncio.create_task(_apply_in_order(runner, decoded))
        try:
            async for event in stream.events():
                if event.message.value:
                    await decoded.put(_decoded_or_halt(runner, event.message.value))
                yield
        finally:
            applying.cancel()

    lag, made_anew, place = FoldLag(runner, progress), _MadeAnew(brokers, runner), _Place()

    async def look() -> None:
        await lag.look(app.consumer)

    async def watch() -> None:
        consumer: Any = app.consumer  # the batch transport's
        if consumer.cut_off():
            _halt("its Kafka client has ended")
        if member and place.is_contested(consumer.member_id()):
            _halt(f"another worker has its name, {member.name}: give each one of its own")
        await made_anew.look(consumer)

    app.agent(topic, name=f"{group}.fold", concurrency=1)(fold)
    app.timer(LOOK_EVERY_S)(look)
    app.timer(LOOK_EVERY_S)(watch)
    return app


def fetch_records(runner: FoldRunner) -> int:
    """At most how many records a fetch for this runner has."""
    return MERGED_FETCH_RECORDS if runner.merges_all else FETCH_RECORDS


def _opening(brokers: Brokers, pool: Pool, runner: FoldRunner) -> Any:
    async def start_offsets(partitions: Any, consumer: Any) -> Any:
        try:
            await pool.open(wait=True, timeout=RETRY_FOR_S)
            if await _learned(brokers, runner, pool) != runner.names:  # another worker of the group has crossed over
                _start_anew()
            await _regain(brokers, runner, partitions)
            offsets = await runner.start_offsets(partitions)
            places = [TP(*place) for place in partitions]
            check_within(offsets, await consumer.earliest_offsets(*places), await consumer.highwaters(*places))
            return offsets
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
        except LOST_PLACE as lost:
            log.error("the place on a topic is lost: %s", lost)
            _start_anew()
            return
        except Exception:  # noqa: BLE001 - every failure halts
            _halt(f"cannot fold {_described(runs)}")
        if runner.crossed:
            _start_anew()


class _Place:
    """A static member's place in its group. The broker gives another member id each time that somebody comes under the
    name; a worker that meets a new one again and again shares its name with another."""

    def __init__(self) -> None:
        self._id = ""
        self._lost_at: list[float] = []

    def is_contested(self, member_id: str) -> bool:
        """Whether the place, now held under this id, was lost too often of late."""
        if self._id and member_id and member_id != self._id:
            self._lost_at.append(time.monotonic())
        self._id = member_id or self._id
        self._lost_at = [at for at in self._lost_at if time.monotonic() - at < CONTESTED_WITHIN_S]
        return len(self._lost_at) >= CONTESTED_TIMES


class _MadeAnew:
    """Notices a topic that was gone and exists again: no worker would get its partitions until the next rebalance."""

    def __init__(self, brokers: Brokers, runner: FoldRunner) -> None:
        self._brokers = brokers
        self._runner = runner
        self._gone: set[str] = set()

    async def look(self, consumer: Any) -> None:
        """Start the worker anew if a topic that was unknown at two looks in a row is on Kafka."""
        unknown = consumer.unknown(self._runner.topics)
        gone, self._gone = self._gone & unknown, unknown
        with contextlib.suppress(KafkaError):
            if gone and gone & (await existing_topics(self._brokers)).keys():
                _start_anew()


def _described(runs: Sequence[Run]) -> str:
    return ", ".join(f"{run.topic}[{run.partition}] from offset {run.heads.offsets[0]}" for run in runs)


def _halt(reason: str) -> NoReturn:
    """Leave at once: Faust would acknowledge the batch and go on."""
    log.critical("worker halts: %s", reason, exc_info=True)
    halting.keep_page()
    logging.shutdown()
    os._exit(HALTED)


_starting_anew: list[bool] = []


def _start_anew() -> None:
    """Leave the group in order, as on SIGTERM; `run` then replaces the process."""
    if not _starting_anew:
        log.warning("a handler reads on somewhere else: the worker starts anew")
        _starting_anew.append(True)
        os.kill(os.getpid(), signal.SIGTERM)
        late = threading.Timer(LEAVE_WITHIN_S, _replace_process)
        late.daemon = True
        late.start()


def _replace_process() -> None:
    logging.shutdown()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - itself, as it was started


def run(app: faust.App, loglevel: str = "INFO") -> None:
    """Run the worker until SIGTERM or SIGINT, then leave with its status. Does not return."""
    collect_less()
    try:
        faust.Worker(app, loglevel=loglevel, override_logging=False).execute_from_commandline()
    finally:
        if _starting_anew:
            _replace_process()
