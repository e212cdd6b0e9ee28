"""The relay: gives committed events their sequence and sends them to Kafka, in order, by one leader at a time.

Insert positions are not commit order, so the leader takes the visible events that have no `seq`, in position order, and
assigns a dense one in its own transaction. Version n + 1 of a stream is only ever written by someone who saw n, so
streams stay in order. Then it sends everything after its cursor and moves the cursor once all of it is acknowledged.

What readers rely on: every session of every relay writes, per partition, an unbroken run that starts behind what the
partition holds. So any `seq` on a partition has all its lower ones before it, and a fold that drops whatever is not
above its highest `seq` drops only duplicates. Therefore: one batch in flight per partition, and after any error the
producer is dropped and the run starts again; no record is ever skipped or resent alone. While a batch is sent the next
ones are sequenced and made, but none is sent before the one before is acknowledged.

Each term begins by comparing the topics with the store (`eventfold.witness`): a broker that lost what it acknowledged
gets it again before anything new, and a store that lost what is on its topics sends nothing (`HistoryRewound`). A
broker's connection that ends, ends the term.

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
from psycopg import Error as PsycopgError
from psycopg import OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout

from eventfold import generations, history, lag, refusing, sequencing, telemetry, tracing
from eventfold import lease as leases
from eventfold.codec import EventCodec, UnknownEventType
from eventfold.consistency import Target
from eventfold.errors import (
    HistoryRewound,
    LeaseLost,
    NoProgress,
    OfNewerBuild,
    RefusedForGood,
    TopicMisconfigured,
    TopicShortened,
)
from eventfold.lease import Lease
from eventfold.publish import Publisher, Record, placed
from eventfold.rows import AFTER, TO_SEND, bounded, envelope_to_send, recorded_to_send
from eventfold.sending import Producer, TopicPartition, send_runs, started
from eventfold.sequencing import POSITION, PUBLIC_VALUE, SEQ, Floor, Row
from eventfold.standing import Standing, compare
from eventfold.store import Connection
from eventfold.witness import Tails

log = logging.getLogger(__name__)

POLL_MIN_S, POLL_MAX_S = 0.005, 0.050
PACE_S = 0.010
"""So long a batch with room for more is ahead of the next: broker and folds pay for each batch, not for each event."""
HEARTBEAT_S = leases.LEASE_S / 3
ROWS_PER_BATCH, BYTES_PER_BATCH = 4000, 8 * 1024 * 1024
"""Whichever is reached first; up to three batches are under way."""
ROWS_PER_TURN = 100
RETRY_S = 0.5
RETRY_MAX_S = 3.0
"""Between terms that came to nothing: another who can work is to have its turn."""
PROGRESS_WITHIN_S = 20.0
"""A leader that has something to do and gets nothing acknowledged for so long loses its lease."""
CHECK_EVERY_S = 0.5
LOOK_AFTER_S = 0.2
"""So long after the last acknowledgement a topic is looked at before it is sent to: it may have been made anew."""
LEAVE_WITHIN_S = 2.0
RESTARTING = (
    LeaseLost, KafkaError, OperationalError, IdleInTransactionSessionTimeout, TopicMisconfigured, HistoryRewound,
    NoProgress, TopicShortened, RefusedForGood, OfNewerBuild,
)  # fmt: skip
"""What ends a term, and not the relay."""
IDLE_IN_TRANSACTION_MS = 2000

_UNSENT = AFTER.format(TO_SEND)

Connect = Callable[[], Awaitable[Connection]]
Producers = Callable[[], Any]
Examine = Callable[[Sequence[str]], Awaitable[None]]
"""Raises `TopicMisconfigured` for a topic on Kafka that would lose its history or refuse what may be written; and
`KafkaError`."""


async def taken_as_they_are(topics: Sequence[str]) -> None:
    """Examines nothing."""


def producer(bootstrap: str, client_id: str) -> AIOKafkaProducer:
    """An idempotent producer for one term. Not started."""
    return Producer(bootstrap, client_id)


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
    may publish on; while one is missing, or `examine` refuses it, the relay sends nothing, says so, and looks again.
    `tails` reads what they hold.
    """

    def __init__(
        self, *, name: str, holder: str, connect: Connect, producers: Producers, tails: Tails, publisher: Publisher,
        codec: EventCodec, topics: Sequence[str], examine: Examine = taken_as_they_are,
    ) -> None:  # fmt: skip
        self._name = name
        self._holder = holder
        self._connect = connect
        self._producers = producers
        self._tails = tails
        self._publisher = publisher
        self._codec = codec
        self._topics = topics
        self._examine = examine
        self._awake = asyncio.Event()
        self._listener: Listener | None = None
        self._came_to_nothing = False
        self.suspects: set[TopicPartition] = set()
        """Partitions that were found to be shorter than they had been."""
        self.rewound: HistoryRewound | None = None
        """Why nothing is sent, while that is because the store is behind its topics."""

    def wake(self) -> None:
        """Tell the relay that something was committed. Never blocks."""
        self._awake.set()

    def listen(self, listener: Listener) -> None:
        """Have `listener` told where events go, from now on."""
        self._listener = listener

    async def run(self) -> None:
        """Lead whenever the lease can be had. Lost leases, connections and brokers only cost a new start."""
        telemetry.RELAY_LEADING.labels(self._name).set(0)
        await _together(self._terms(), self._watch())

    async def _terms(self) -> None:
        pause_s = RETRY_S
        while True:
            try:
                await self._try_to_lead()
                pause_s = RETRY_S
            except RESTARTING as failure:
                self._tell(failure)
                if isinstance(failure, RefusedForGood):
                    continue  # what need not wait goes on at once
                pause_s = min(RETRY_MAX_S, pause_s * 2) if self._came_to_nothing else RETRY_S
            await asyncio.sleep(pause_s)

    def _tell(self, failure: Exception) -> None:
        telemetry.RELAY_RESTARTS.labels(self._name).inc()
        extra = {"relay": self._name, "reason": repr(failure)}
        if isinstance(failure, HistoryRewound):
            self.rewound = failure
            telemetry.RELAY_REWOUND.labels(self._name).set(1)
            log.critical("relay sends nothing: %s", failure, extra=extra)
        else:
            log.warning("relay restarts where its topics end", extra=extra)

    async def _watch(self) -> None:
        """Tell how late the service's events are, whoever leads; over connections of its own, for who watches must not
        stop what is watched."""
        while True:
            try:
                async with asyncio.timeout(lag.LOOK_EVERY_S), await self._connect() as conn:
                    late_s = await lag.of_relay_s(conn, self._name)
                telemetry.RELAY_LAG_SECONDS.labels(self._name).set(late_s)
            except (PsycopgError, TimeoutError) as failure:
                log.warning("cannot tell the relay's lag", extra={"relay": self._name, "reason": repr(failure)})
            await asyncio.sleep(lag.LOOK_EVERY_S)

    async def _try_to_lead(self) -> None:
        self._came_to_nothing = True
        async with contextlib.AsyncExitStack() as stack:
            sequencer, cursor_conn = [await stack.enter_async_context(await self._connect()) for _ in range(2)]
            # The planner, who may have seen the queue empty, would read all of it ever after.
            await sequencer.execute("SET enable_seqscan = off")
            # A cursor that falls back only repeats records, so its moves need not wait for the disk.
            await cursor_conn.execute("SET synchronous_commit = off")
            for conn in (sequencer, cursor_conn):
                await conn.execute(f"SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS}")
            if not await leases.is_free(cursor_conn, self._name):
                return
            # Whoever cannot reach Kafka does not keep the lease from others who can.
            session = await stack.enter_async_context(started(self._producers()))
            if lease := await leases.acquire(cursor_conn, self._name, self._holder):
                heartbeat_conn = await stack.enter_async_context(await self._connect())
                await self._lead(_Term(self, lease, session, sequencer, cursor_conn), heartbeat_conn)

    async def _lead(self, term: _Term, heartbeat_conn: Connection) -> None:
        telemetry.RELAY_LEADING.labels(self._name).set(term.lease.epoch)
        try:
            await _together(term.heartbeat(heartbeat_conn), term.lead(), term.check())
        finally:
            telemetry.RELAY_LEADING.labels(self._name).set(0)
            if self._listener:
                self._listener.forget()
            with contextlib.suppress(PsycopgError, TimeoutError):
                async with asyncio.timeout(LEAVE_WITHIN_S):
                    await leases.release(heartbeat_conn, term.lease)

    def working(self) -> None:
        """What was left over is sent: this term can do something."""
        self._came_to_nothing = False

    def agreed(self) -> None:
        """Topics and store agree."""
        self.rewound = None
        telemetry.RELAY_REWOUND.labels(self._name).set(0)

    async def wait_for_work(self, idle_s: float, at_least_s: float = 0.0) -> None:
        """Return `at_least_s` from now, or later: when woken or after a further `idle_s`."""
        await asyncio.sleep(at_least_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._awake.wait(), idle_s)
        self._awake.clear()

    def record(self, row: Row, salt: str) -> Record | None:
        """What is sent of a sequenced row; None for a private event.

        An event without a public value is a private one, or an older server's. What a newer build recorded and this one
        does not know is private: each build knows the types of those before it, and later ones store public values.
        """
        value = row[PUBLIC_VALUE]
        if value is not None:
            return self._publisher.record(value, envelope_to_send(row, salt))
        try:
            return self._publisher.encode(recorded_to_send(self._codec, row), salt)
        except UnknownEventType:
            return None


@dataclass(slots=True)
class _Batch:
    """Records up to `to_seq`, in order by partition, and the highest `seq` on each."""

    to_seq: int
    runs: dict[TopicPartition, list[Record]] = field(default_factory=lambda: defaultdict(list))
    heads: dict[TopicPartition, int] = field(default_factory=dict)
    positions: list[int] = field(default_factory=list)


class _Term:
    """One term of leadership, with a producer of its own."""

    def __init__(
        self, relay: Relay, lease: Lease, session: Any, sequencer: Connection, cursor_conn: Connection
    ) -> None:  # fmt: skip
        self.lease = lease
        self._relay = relay
        self._session = session
        self._sequencer = sequencer
        self._cursor_conn = cursor_conn
        self._standing = Standing()
        self._sequenced = 0
        self._held: list[str] = []
        self._floor = Floor()
        self._refused = False
        self._busy_since: float | None = None
        self._looked_at = time.monotonic()

    async def heartbeat(self, conn: Connection) -> None:
        """Renew the lease for as long as what there is to do gets done. Raises `NoProgress`."""
        while True:
            stuck_s = 0.0 if self._busy_since is None else time.monotonic() - self._busy_since
            if stuck_s > PROGRESS_WITHIN_S:
                raise NoProgress(self.lease.name, stuck_s)
            await leases.hold(conn, self.lease)
            await asyncio.sleep(HEARTBEAT_S)

    async def check(self) -> None:
        """Notice a broker that went away and a topic that was emptied, also while there is nothing to send. Raises
        `KafkaError` and `TopicShortened`."""
        while True:
            self._session.check()
            await self._look_at_topics()
            await self._floor.raise_over(self._cursor_conn)
            if self._held:
                await self._try_refused_again()
            await asyncio.sleep(CHECK_EVERY_S)

    async def _try_refused_again(self) -> None:
        """What was refused a while ago is numbered and sent once more, with what waits behind it."""
        async with await self._relay._connect() as conn:
            self._held = await refusing.held_keys(conn)

    async def _look_at_topics(self) -> None:
        known = dict(self._standing.ends)
        for (topic, partition), end in (await self._session.ends(known)).items():
            if end < known[topic, partition]:
                raise TopicShortened(topic, partition, known[topic, partition], end)
        self._looked_at = time.monotonic()

    def _progress(self) -> None:
        self._busy_since = time.monotonic()

    async def lead(self) -> None:
        self._progress()
        await self._session.settle()
        self._held = await refusing.held_keys(self._sequencer)
        self._refused = bool(self._held) or await refusing.any_there(self._sequencer)
        await self._switch(instead=True)
        await self._compare()
        self._relay.agreed()
        await self._resend()
        self._relay.working()
        if await self._switch(instead=False):
            await self._compare()
        await self._close_old()
        self._busy_since = None
        await self._carry()

    async def _compare(self) -> None:
        """Learn what the topics hold, and hold it against the store. Raises `HistoryRewound` and
        `TopicMisconfigured`."""
        names = await generations.current_names(self._sequencer, self._relay._topics)
        await self._relay._examine(list(names.values()))
        kafka = {name: len(await _partitions_of(self._session, name)) for name in names.values()}
        self._standing = await compare(
            self._sequencer, names, kafka, self._relay._tails, self.lease.cursor, self._relay.suspects
        )
        await leases.move_cursor(self._cursor_conn, self.lease, 0, self._standing.heads())

    async def _carry(self) -> None:
        """One batch is sequenced while the one before is made into records and the one before that is sent."""
        sequencing, sending, idle_s = asyncio.create_task(self._sequence()), _nothing(), POLL_MIN_S
        try:
            while True:
                if rows := await sequencing:
                    more = self._sequence() if len(rows) == ROWS_PER_BATCH else self._sequence_in_a_while()
                    sequencing, idle_s = asyncio.create_task(more), POLL_MIN_S
                    batch = await self._made(rows)
                    await sending
                    sending = asyncio.create_task(self._send(batch))
                else:
                    await sending
                    await self._relay.wait_for_work(idle_s)
                    sequencing, idle_s = asyncio.create_task(self._sequence()), min(POLL_MAX_S, idle_s * 2)
        finally:
            await _ended(sequencing, sending)

    async def _sequence_in_a_while(self) -> list[Row]:
        await self._relay.wait_for_work(POLL_MIN_S, at_least_s=PACE_S)
        return await self._sequence()

    async def _switch(self, *, instead: bool) -> bool:
        """Make current what a replay has filled. Where it does not stand `instead` of a generation that is lost or
        rewound, the old one must have all by now."""
        filled = [
            one for one in await generations.load(self._sequencer) if one.state == "filled" and one.instead == instead
        ]  # fmt: skip
        for one in filled:
            await generations.switch(
                self._sequencer, self.lease, self._session, self._relay._publisher, self._relay._codec, one
            )
            log.info("topic switched", extra={"relay": self._relay._name, "topic": one.name})
        return bool(filled)

    async def _close_old(self) -> None:
        for one in await generations.load(self._sequencer):
            if one.state == "closing":
                await generations.close(self._sequencer, self._session, self._relay._publisher.source, one)

    async def _resend(self) -> None:
        """What is sequenced and not on its topic, before anything new."""
        after = self._standing.resend_after
        while count := await bounded(self._sequencer, after, ROWS_PER_BATCH, BYTES_PER_BATCH):
            rows = await self._rows(_UNSENT, {"after": after, "rows": count})
            await self._send(await self._made(rows))
            after = rows[-1][SEQ]
        self._sequenced = await history.last_seq(self._sequencer)
        self._standing.whole()
        self._relay.suspects.clear()

    async def _sequence(self) -> list[Row]:
        """The next rows in sequence; none when there are none, or this is no longer the leader."""
        arguments = sequencing.arguments(self.lease, ROWS_PER_BATCH, BYTES_PER_BATCH, self._floor.position, self._held)
        statement = sequencing.AROUND if self._held else sequencing.ALL
        rows = sorted(await self._rows(statement, arguments), key=itemgetter(SEQ))
        if rows and rows[0][SEQ] != self._sequenced + 1:
            raise LeaseLost(self.lease.name, self.lease.epoch)  # another store has taken this one's place
        self._sequenced = rows[-1][SEQ] if rows else self._sequenced
        return rows

    async def _rows(self, query: str, arguments: Mapping[str, Any]) -> list[Row]:
        return await (await self._sequencer.execute(query, arguments, binary=True)).fetchall()

    async def _made(self, rows: Sequence[Row]) -> _Batch:
        """The records of sequenced rows; the listener is told."""
        batch = _Batch(rows[-1][SEQ], positions=[row[POSITION] for row in rows] if self._refused else [])
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
            place, told = None, self._standing.history(row[SEQ])
            record = self._relay.record(row, told.salt)
            if record is not None:
                place = self._standing.place(record)
                if row[SEQ] > (before := self._standing.highest[place]):
                    batch.runs[place].append(placed(record, told.nonce.encode(), before))
                    batch.heads[place] = self._standing.highest[place] = row[SEQ]
            if self._relay._listener:
                targets[row[POSITION]] = Target(*place, row[SEQ]) if place else None
        return targets

    async def _send(self, batch: _Batch) -> None:
        started = time.perf_counter()
        self._progress()
        with self._span(batch.runs):
            count = sum(map(len, batch.runs.values()))
            if time.monotonic() - self._looked_at > LOOK_AFTER_S:
                await self._look_at_topics()
            try:
                await send_runs(self._session, batch.runs, self._acknowledged)
            except RefusedForGood as refusal:
                await self._set_aside(refusal)
                raise
        self._looked_at = time.monotonic()
        if self._refused:
            await refusing.taken(self._sequencer, batch.positions)
        telemetry.RELAY_SENT.labels(self._relay._name).inc(count)
        telemetry.RELAY_SEND_SECONDS.labels(self._relay._name).observe(time.perf_counter() - started)
        acknowledged = [(topic, partition, seq) for (topic, partition), seq in sorted(batch.heads.items())]
        await leases.move_cursor(self._cursor_conn, self.lease, batch.to_seq, acknowledged)
        self._busy_since = None

    async def _set_aside(self, refusal: RefusedForGood) -> None:
        """The term ends, and the next sends what need not wait. Its own connection: the sequencer may be at work."""
        async with await self._relay._connect() as conn, conn.transaction():
            await leases.hold(conn, self.lease)
            await refusing.set_aside(conn, self._standing.histories, refusal.seq, refusal.reason)

    def _acknowledged(self, place: TopicPartition, first: int, count: int) -> None:
        """Raise `TopicShortened` where what was sent stands lower than where the partition had ended: it was emptied
        meanwhile, and what was on it is to be sent again."""
        self._progress()
        before, self._standing.ends[place] = self._standing.ends[place], first + count
        if first < before:
            self._relay.suspects.add(place)
            raise TopicShortened(*place, before, first)

    def _span(self, runs: Mapping[TopicPartition, Collection[Record]]) -> contextlib.AbstractContextManager[Span]:
        headers = (dict(record.headers) for run in runs.values() for record in run)
        return tracing.batch("send", SpanKind.CLIENT, self._relay._name, runs, headers)


async def _partitions_of(session: Any, name: str) -> Collection[int]:
    missing = TopicMisconfigured(name, "does not exist; run `prepare`")
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
