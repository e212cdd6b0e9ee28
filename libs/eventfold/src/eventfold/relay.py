"""The relay: gives committed events their sequence and sends them to Kafka, in order, by one leader at a time.

Insert positions are not commit order, so the leader takes the visible rows that have no `seq`, in position order, and
assigns a dense one in its own transaction. Version n + 1 of a stream is only ever written by someone who saw n, so
streams stay in order. Then it sends everything after its cursor and moves the cursor once all of it is acknowledged.

What readers rely on: every session of every relay writes, per partition, an unbroken run that starts at a cursor which
never passes what is acknowledged. So any `seq` on a partition has all its lower ones before it, and a fold that drops
whatever is not above its highest `seq` drops only duplicates. Therefore: one batch in flight per partition, and after
any error the producer is dropped and the run starts again at the cursor; no record is ever skipped or resent alone.

Which generation of each topic is written is read at the start of each term, and only there is it ever changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from opentelemetry.trace import Span, SpanKind
from psycopg import OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout

from eventfold import generations, telemetry, tracing
from eventfold import lease as leases
from eventfold.codec import EventCodec
from eventfold.errors import LeaseLost, TopicMisconfigured
from eventfold.lease import Lease
from eventfold.publish import Publisher, Record, partition_of
from eventfold.rows import COLUMNS, recorded
from eventfold.sending import TopicPartition, send_runs, started
from eventfold.store import Connection

log = logging.getLogger(__name__)

POLL_MIN_S, POLL_MAX_S = 0.005, 0.050
HEARTBEAT_S = leases.LEASE_S / 3
ROWS_PER_BATCH = 2000
RETRY_S = 0.5
IDLE_IN_TRANSACTION_MS = 2000

_SEQUENCE = f"""WITH unsequenced AS (
  SELECT position, row_number() OVER (ORDER BY position) AS n
  FROM (SELECT position FROM events WHERE seq IS NULL ORDER BY position LIMIT %s) AS visible
), last AS (SELECT coalesce(max(seq), 0) AS seq FROM events)
UPDATE events e SET seq = last.seq + u.n FROM unsequenced u, last WHERE e.position = u.position
RETURNING {", ".join("e." + name for name in COLUMNS.split(", "))}"""

_UNSENT = f"SELECT {COLUMNS} FROM events WHERE seq > %s ORDER BY seq LIMIT %s"

_HEADS = """INSERT INTO relay_head (topic, partition, seq) SELECT * FROM unnest(%s::text[], %s::int[], %s::bigint[])
ON CONFLICT (topic, partition) DO UPDATE SET seq = greatest(relay_head.seq, EXCLUDED.seq)"""

Connect = Callable[[], Awaitable[Connection]]
Producers = Callable[[], AIOKafkaProducer]


@dataclass(frozen=True, slots=True)
class Sequenced:
    """A batch in sequence order: the records to send with their `seq`, and the last `seq` that it covers."""

    records: Sequence[tuple[int, Record]]
    last_seq: int


def producer(bootstrap: str, client_id: str) -> AIOKafkaProducer:
    """An idempotent producer with the relay's settings. Not started."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap, client_id=client_id, enable_idempotence=True, acks="all",
        max_batch_size=1_000_000, max_request_size=1_048_576, request_timeout_ms=15_000,
    )  # fmt: skip


class Relay:
    """Runs until cancelled; `wake()` makes it look at once instead of at its next poll.

    `connect` opens a connection of the relay's own role, in autocommit mode. `topics` are all topics that the service
    may publish on; a missing one stops the relay at the start instead of at the first event.
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

    def wake(self) -> None:
        """Tell the relay that something was committed. Never blocks."""
        self._awake.set()

    async def run(self) -> None:
        """Lead whenever the lease can be had. Lost leases, connections and brokers only cost a new start."""
        while True:
            try:
                await self._try_to_lead()
            except (LeaseLost, KafkaError, OperationalError, IdleInTransactionSessionTimeout) as failure:
                telemetry.RELAY_RESTARTS.labels(self._name).inc()
                log.warning("relay restarts from its cursor", extra={"relay": self._name, "reason": repr(failure)})
            await asyncio.sleep(RETRY_S)

    async def _try_to_lead(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            sequencer, cursor_conn = [await stack.enter_async_context(await self._connect()) for _ in range(2)]
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
                await _until_first_fails(term.heartbeat(heartbeat_conn), term.lead())
            finally:
                telemetry.RELAY_LEADING.labels(self._name).set(0)
                with contextlib.suppress(OperationalError):
                    await leases.release(cursor_conn, lease)

    async def wait_for_work(self, idle_s: float) -> None:
        """Return when woken or after `idle_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._awake.wait(), idle_s)
        self._awake.clear()

    def encode(self, rows: Sequence[Sequence[object]]) -> Sequenced:
        """The records of stored rows, in sequence order; private events only count for `last_seq`."""
        events = sorted((recorded(self._codec, row) for row in rows), key=lambda event: event.seq or 0)
        encoded = [(event.seq or 0, self._publisher.encode(event)) for event in events]
        return Sequenced([(seq, record) for seq, record in encoded if record is not None], encoded[-1][0])


class _Term:
    """One term of leadership, with a producer of its own."""

    def __init__(self, relay: Relay, lease: Lease, sequencer: Connection, cursor_conn: Connection) -> None:
        self._relay = relay
        self._lease = lease
        self._sequencer = sequencer
        self._cursor_conn = cursor_conn
        self._names: dict[str, str] = {}
        self._partitions: dict[str, int] = {}

    async def heartbeat(self, conn: Connection) -> None:
        while True:
            await leases.hold(conn, self._lease)
            await asyncio.sleep(HEARTBEAT_S)

    async def lead(self) -> None:
        async with started(self._relay._producers()) as session:
            await self._switch(session, predecessor_lost=True)
            await self._learn_partitions(session)
            await self._resend(session)
            if await self._switch(session, predecessor_lost=False):
                await self._learn_partitions(session)
            await self._close_old(session)
            idle_s = POLL_MIN_S
            while True:
                batch = await self._sequence()
                if batch is None:
                    await self._relay.wait_for_work(idle_s)
                    idle_s = min(POLL_MAX_S, idle_s * 2)
                else:
                    await self._send(session, batch)
                    idle_s = POLL_MIN_S

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
        self._names = await generations.current_names(self._sequencer, self._relay._topics)
        for topic, name in self._names.items():
            partitions = await session.partitions_for(name)
            if not partitions:
                raise TopicMisconfigured(name, "does not exist; run `prepare`, or `replay --lost` if it did exist")
            self._partitions[topic] = len(partitions)
        heads = [
            (self._names[topic], partition, 0)
            for topic, count in self._partitions.items() for partition in range(count)
        ]  # fmt: skip
        await self._cursor_conn.execute(_HEADS, [list(column) for column in zip(*heads, strict=True)])

    async def _resend(self, session: AIOKafkaProducer) -> None:
        """Everything sequenced but not known to be acknowledged, before anything new."""
        after = self._lease.cursor
        while rows := await self._rows(_UNSENT, after, ROWS_PER_BATCH):
            batch = self._relay.encode(rows)
            await self._send(session, batch)
            after = batch.last_seq

    async def _rows(self, query: str, *arguments: object) -> list[tuple[object, ...]]:
        return await (await self._sequencer.execute(query, arguments)).fetchall()

    async def _sequence(self) -> Sequenced | None:
        if not await self._rows("SELECT 1 FROM events WHERE seq IS NULL LIMIT 1"):
            return None
        async with self._sequencer.transaction():
            await leases.hold(self._sequencer, self._lease)
            rows = await self._rows(_SEQUENCE, ROWS_PER_BATCH)
        return self._relay.encode(rows) if rows else None

    async def _send(self, session: AIOKafkaProducer, batch: Sequenced) -> None:
        queues: dict[TopicPartition, deque[Record]] = defaultdict(deque)
        heads: dict[TopicPartition, int] = {}
        for seq, record in batch.records:
            place = (self._names[record.topic], partition_of(record.key, self._partitions[record.topic]))
            queues[place].append(record)
            heads[place] = seq
        started = time.perf_counter()
        with self._span(batch, queues):
            await send_runs(session, queues)
        telemetry.RELAY_SENT.labels(self._relay._name).inc(len(batch.records))
        telemetry.RELAY_SEND_SECONDS.labels(self._relay._name).observe(time.perf_counter() - started)
        await self._acknowledge(batch.last_seq, heads)

    def _span(self, batch: Sequenced, places: Collection[TopicPartition]) -> contextlib.AbstractContextManager[Span]:
        headers = (dict(record.headers) for _, record in batch.records)
        return tracing.batch("send", SpanKind.CLIENT, self._relay._name, places, headers)

    async def _acknowledge(self, last_seq: int, heads: dict[TopicPartition, int]) -> None:
        async with self._cursor_conn.transaction():
            await leases.move_cursor(self._cursor_conn, self._lease, last_seq)
            if heads:
                rows = [(topic, partition, seq) for (topic, partition), seq in sorted(heads.items())]
                await self._cursor_conn.execute(_HEADS, [list(column) for column in zip(*rows, strict=True)])


async def _until_first_fails(*coroutines: Awaitable[Any]) -> None:
    """Run all until one raises, then cancel the others and raise what it raised."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
