"""The relay: gives committed events their sequence and sends them to Kafka, in order, by one leader at a time.

Insert positions are not commit order, so the leader takes the visible events that have no `seq`, in position order, and
assigns a dense one in its own transaction. Version n + 1 of a stream is only ever written by someone who saw n, so
streams stay in order. Then it sends everything after its cursor and moves the cursor once all of it is acknowledged.

What readers rely on: every session of every relay writes, per partition, an unbroken run that starts at a cursor which
never passes what is acknowledged. So any `seq` on a partition has all its lower ones before it, and a fold that drops
whatever is not above its highest `seq` drops only duplicates. Therefore: one batch in flight per partition, and after
any error the producer is dropped and the run starts again at the cursor; no record is ever skipped or resent alone.
While a batch is sent the next ones are sequenced and made, but none is sent before the one before is acknowledged.

Which generation of each topic is written is read at the start of each term, and only there is it ever changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from opentelemetry.trace import Span, SpanKind
from psycopg import OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout

from eventfold import generations, lag, telemetry, tracing
from eventfold import lease as leases
from eventfold.codec import EventCodec
from eventfold.consistency import Target
from eventfold.errors import LeaseLost, TopicMisconfigured
from eventfold.lease import Lease
from eventfold.publish import Publisher, Record, partition_of
from eventfold.rows import AFTER, LAST_SEQ, TO_SEND, envelope_to_send, recorded_to_send
from eventfold.sending import TopicPartition, send_runs, started
from eventfold.store import Connection

log = logging.getLogger(__name__)

POLL_MIN_S, POLL_MAX_S = 0.005, 0.050
PACE_S = 0.010
"""So long a batch with room for more is ahead of the next: broker and folds pay for each batch, not for each event."""
HEARTBEAT_S = leases.LEASE_S / 3
ROWS_PER_BATCH = 4000
ROWS_PER_TURN = 100
RETRY_S = 0.5
RESTARTING = (LeaseLost, KafkaError, OperationalError, IdleInTransactionSessionTimeout, TopicMisconfigured)
"""What ends a term, and not the relay."""
IDLE_IN_TRANSACTION_MS = 2000

# As the leader or not at all, in one statement, for every round trip delays what waits behind it. Whoever lost the
# lease finds nothing to do until its heartbeat tells it; the leader writes nothing when there is nothing.
SEQUENCE = f"""WITH held AS ({leases.HOLD} AND (SELECT min(position) FROM unsequenced) IS NOT NULL RETURNING 1
), taken AS (
  DELETE FROM unsequenced WHERE position = ANY (ARRAY(
    SELECT position FROM unsequenced WHERE EXISTS (SELECT 1 FROM held) ORDER BY position LIMIT %(rows)s
  )) RETURNING position
), last AS (SELECT {LAST_SEQ} AS seq
), noted AS (
  INSERT INTO sequence_run (first_seq, first_position, length)
  SELECT last.seq + min(n), min(position), count(*)
  FROM last, (SELECT position, row_number() OVER (ORDER BY position) AS n FROM taken) AS numbered
  GROUP BY last.seq, position - n
) SELECT {TO_SEND} FROM (
  SELECT events.*, last.seq + row_number() OVER (ORDER BY position) AS seq
  FROM last, events WHERE position = ANY (ARRAY(SELECT position FROM taken))
) AS sequenced"""

_UNSENT = AFTER.format(TO_SEND)

Row = tuple[Any, ...]
"""An event in the order of `TO_SEND`."""
POSITION, SEQ, PUBLIC_VALUE = 0, 1, 2

Connect = Callable[[], Awaitable[Connection]]
Producers = Callable[[], AIOKafkaProducer]


def producer(bootstrap: str, client_id: str) -> AIOKafkaProducer:
    """An idempotent producer with the relay's settings. Not started."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap, client_id=client_id, enable_idempotence=True, acks="all",
        max_batch_size=1_000_000, max_request_size=1_048_576, request_timeout_ms=15_000,
    )  # fmt: skip


class Listener(Protocol):
    """Hears from a relay in its own process. Must not block."""

    def tell(self, targets: Mapping[int, Target | None]) -> None:
        """Where the events of a batch go, by insert position; None for private ones. They are sequenced and not yet
        sent."""

    def forget(self) -> None:
        """The term is over: topics may be switched, and what was told may be somewhere else soon."""


class Relay:
    """Runs until cancelled; `wake()` makes it look at once instead of at its next poll.

    `connect` opens a connection of the relay's own role, in autocommit mode. `topics` are all topics that the service
    may publish on; while one is missing the relay sends nothing, says so, and looks again.
    """

    def __init__(
        self, *, name: str, holder: str, connect: Connect, producers: Producers, publisher: Publisher,
        codec: EventCodec, topics: Sequence[str],
    ) -> None:  # fmt: skip
        self._name = name
        self._holder = holder
        self._connect = connect
        self._producers = producers
        self._publisher = publisher
        self._codec = codec
        self._topics = topics
        self._awake = asyncio.Event()
        self._listener: Listener | None = None

    def wake(self) -> None:
        """Tell the relay that something was committed. Never blocks."""
        self._awake.set()

    def listen(self, listener: Listener) -> None:
        """Have `listener` told where events go, from now on."""
        self._listener = listener

    async def run(self) -> None:
        """Lead whenever the lease can be had. Lost leases, connections and brokers only cost a new start."""
        while True:
            try:
                await self._try_to_lead()
            except RESTARTING as failure:
                telemetry.RELAY_RESTARTS.labels(self._name).inc()
                log.warning("relay restarts from its cursor", extra={"relay": self._name, "reason": repr(failure)})
            await asyncio.sleep(RETRY_S)

    async def _try_to_lead(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            sequencer, cursor_conn = [await stack.enter_async_context(await self._connect()) for _ in range(2)]
            # The planner, who may have seen the queue empty, would read all of it ever after.
            await sequencer.execute("SET enable_seqscan = off")
            # A cursor that falls back only repeats records, so its moves need not wait for the disk.
            await cursor_conn.execute("SET synchronous_commit = off")
            for conn in (sequencer, cursor_conn):
                await conn.execute(f"SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS}")
            lease = await leases.acquire(cursor_conn, self._name, self._holder)
            if lease is None:
                return
            telemetry.RELAY_LEADING.labels(self._name).set(lease.epoch)
            try:
                heartbeat_conn = await stack.enter_async_context(await self._connect())
                term = _Term(self, lease, sequencer, cursor_conn)
                await _together(term.heartbeat(heartbeat_conn), term.lead(), term.watch())
            finally:
                telemetry.RELAY_LEADING.labels(self._name).set(0)
                telemetry.RELAY_LAG_SECONDS.labels(self._name).set(0)
                if self._listener:
                    self._listener.forget()
                with contextlib.suppress(OperationalError):
                    await leases.release(cursor_conn, lease)

    async def wait_for_work(self, idle_s: float, at_least_s: float = 0.0) -> None:
        """Return `at_least_s` from now, or later: when woken or after a further `idle_s`."""
        await asyncio.sleep(at_least_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._awake.wait(), idle_s)
        self._awake.clear()

    def record(self, row: Row) -> Record | None:
        """What is sent of a sequenced row; None for a private event."""
        value = row[PUBLIC_VALUE]
        if value is None:
            return self._publisher.encode(recorded_to_send(self._codec, row))
        return self._publisher.record(value, envelope_to_send(row))


@dataclass(slots=True)
class _Batch:
    """Records up to `to_seq`, in order by partition, and the highest `seq` on each."""

    to_seq: int
    runs: dict[TopicPartition, list[Record]] = field(default_factory=lambda: defaultdict(list))
    heads: dict[TopicPartition, int] = field(default_factory=dict)


class _Term:
    """One term of leadership, with a producer of its own."""

    def __init__(self, relay: Relay, lease: Lease, sequencer: Connection, cursor_conn: Connection) -> None:
        self._relay = relay
        self._lease = lease
        self._sequencer = sequencer
        self._cursor_conn = cursor_conn
        self._written: dict[str, tuple[str, int]] = {}

    async def heartbeat(self, conn: Connection) -> None:
        while True:
            await leases.hold(conn, self._lease)
            await asyncio.sleep(HEARTBEAT_S)

    async def watch(self) -> None:
        """Tell how late the term is; over connections of its own, for who watches must not stop what is watched."""
        while True:
            try:
                async with await self._relay._connect() as conn:
                    late_s = await lag.of_relay_s(conn, self._lease)
                telemetry.RELAY_LAG_SECONDS.labels(self._relay._name).set(late_s)
            except (OperationalError, TimeoutError) as failure:
                log.warning("cannot tell the relay's lag", extra={"relay": self._relay._name, "reason": repr(failure)})
            await asyncio.sleep(lag.LOOK_EVERY_S)

    async def lead(self) -> None:
        async with started(self._relay._producers()) as session:
            await self._switch(session, predecessor_lost=True)
            await self._learn_partitions(session)
            await self._resend(session)
            if await self._switch(session, predecessor_lost=False):
                await self._learn_partitions(session)
            await self._close_old(session)
            await self._carry(session)

    async def _carry(self, session: AIOKafkaProducer) -> None:
        """One batch is sequenced while the one before is made into records and the one before that is sent."""
        sequencing, sending, idle_s = asyncio.create_task(self._sequence()), _nothing(), POLL_MIN_S
        try:
            while True:
                if rows := await sequencing:
                    more = self._sequence() if len(rows) == ROWS_PER_BATCH else self._sequence_in_a_while()
                    sequencing, idle_s = asyncio.create_task(more), POLL_MIN_S
                    batch = await self._made(rows)
                    await sending
                    sending = asyncio.create_task(self._send(session, batch))
                else:
                    await sending
                    await self._relay.wait_for_work(idle_s)
                    sequencing, idle_s = asyncio.create_task(self._sequence()), min(POLL_MAX_S, idle_s * 2)
        finally:
            await _ended(sequencing, sending)

    async def _sequence_in_a_while(self) -> list[Row]:
        await self._relay.wait_for_work(POLL_MIN_S, at_least_s=PACE_S)
        return await self._sequence()

    async def _switch(self, session: AIOKafkaProducer, *, predecessor_lost: bool) -> bool:
        """Make current what a replay has filled. Where the old generation is not lost, it must have all by now."""
        filled = [
            one for one in await generations.load(self._sequencer)
            if one.state == "filled" and one.predecessor_lost == predecessor_lost
        ]  # fmt: skip
        for one in filled:
            await generations.switch(
                self._sequencer, self._lease, session, self._relay._publisher, self._relay._codec, one
            )
            log.info("topic switched", extra={"relay": self._relay._name, "topic": one.name})
        return bool(filled)

    async def _close_old(self, session: AIOKafkaProducer) -> None:
        for one in await generations.load(self._sequencer):
            if one.state == "closing":
                await generations.close(self._sequencer, session, self._relay._publisher.source, one)

    async def _learn_partitions(self, session: AIOKafkaProducer) -> None:
        names = await generations.current_names(self._sequencer, self._relay._topics)
        for topic, name in names.items():
            partitions = await _partitions_of(session, name)
            self._written[topic] = (name, len(partitions))
        heads = [(name, partition, 0) for name, count in self._written.values() for partition in range(count)]
        await leases.move_cursor(self._cursor_conn, self._lease, 0, heads)

    async def _resend(self, session: AIOKafkaProducer) -> None:
        """Everything sequenced but not known to be acknowledged, before anything new."""
        after = self._lease.cursor
        while rows := await self._rows(_UNSENT, {"after": after, "rows": ROWS_PER_BATCH}):
            await self._send(session, await self._made(rows))
            after = rows[-1][SEQ]

    async def _sequence(self) -> list[Row]:
        """The next rows in sequence; none when there are none, or this is no longer the leader."""
        arguments = {"name": self._lease.name, "epoch": self._lease.epoch, "lease_s": leases.LEASE_S}
        rows = await self._rows(SEQUENCE, arguments | {"rows": ROWS_PER_BATCH})
        return sorted(rows, key=itemgetter(SEQ))

    async def _rows(self, query: str, arguments: Mapping[str, Any]) -> list[Row]:
        return await (await self._sequencer.execute(query, arguments, binary=True)).fetchall()

    async def _made(self, rows: Sequence[Row]) -> _Batch:
        """The records of sequenced rows; the listener is told."""
        batch = _Batch(rows[-1][SEQ])
        for first in range(0, len(rows), ROWS_PER_TURN):
            targets = self._add(batch, rows[first : first + ROWS_PER_TURN])
            if self._relay._listener:
                self._relay._listener.tell(targets)
            await asyncio.sleep(0)  # others get their turn: the relay may share its loop with a server
        return batch

    def _add(self, batch: _Batch, rows: Sequence[Row]) -> dict[int, Target | None]:
        """Add the records of `rows`; returns where each goes, by insert position, if there is a listener."""
        targets: dict[int, Target | None] = {}
        for row in rows:
            place, record = None, self._relay.record(row)
            if record is not None:
                name, partitions = self._written[record.topic]
                place = (name, partition_of(record.key, partitions))
                batch.runs[place].append(record)
                batch.heads[place] = row[SEQ]
            if self._relay._listener:
                targets[row[POSITION]] = Target(*place, row[SEQ]) if place else None
        return targets

    async def _send(self, session: AIOKafkaProducer, batch: _Batch) -> None:
        started = time.perf_counter()
        with self._span(batch.runs):
            count = sum(map(len, batch.runs.values()))
            await send_runs(session, batch.runs)
        telemetry.RELAY_SENT.labels(self._relay._name).inc(count)
        telemetry.RELAY_SEND_SECONDS.labels(self._relay._name).observe(time.perf_counter() - started)
        acknowledged = [(topic, partition, seq) for (topic, partition), seq in sorted(batch.heads.items())]
        await leases.move_cursor(self._cursor_conn, self._lease, batch.to_seq, acknowledged)

    def _span(self, runs: Mapping[TopicPartition, Collection[Record]]) -> contextlib.AbstractContextManager[Span]:
        headers = (dict(record.headers) for run in runs.values() for record in run)
        return tracing.batch("send", SpanKind.CLIENT, self._relay._name, runs, headers)


async def _partitions_of(session: AIOKafkaProducer, name: str) -> Collection[int]:
    missing = TopicMisconfigured(name, "does not exist; run `prepare`, or `replay --lost` if it did exist")
    try:
        partitions: Collection[int] = await session.partitions_for(name)
    except UnknownTopicOrPartitionError as unknown:
        raise missing from unknown
    if not partitions:
        raise missing
    return partitions


async def _together(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all to their ends; when one raises, cancel the others, wait for them, and raise what it raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task in done:
                task.result()
    finally:
        await _ended(*tasks)


async def _ended(*tasks: asyncio.Future[Any]) -> None:
    """Cancel what still runs, and wait for it."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _nothing() -> asyncio.Future[None]:
    """What is done already."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done
