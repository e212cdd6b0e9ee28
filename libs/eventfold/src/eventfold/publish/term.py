"""One term of leadership: waiting events are sequenced, encoded as records and sent, in this order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from aiokafka.errors import UnknownTopicOrPartitionError
from opentelemetry.trace import Span, SpanKind

from eventfold import telemetry, tracing
from eventfold.errors import LeaseLost, NoProgress, RefusedForGood, TopicMisconfigured, TopicShortened
from eventfold.postgres.sessions import Connection
from eventfold.publish import generations, history, refusing, sequencing
from eventfold.publish import lease as leases
from eventfold.publish.lease import Lease
from eventfold.publish.outgoing import TO_SEND, Target
from eventfold.publish.publisher import Record, placed
from eventfold.publish.relay_context import RelayContext
from eventfold.publish.sending import send_runs
from eventfold.publish.sequencing import POSITION, SEQ, Floor, StoredRow
from eventfold.publish.standing import Standing, compare
from eventfold.publish.tasks import ended
from eventfold.vocabulary.public import TopicPartition
from eventfold.write.rows import AFTER, bounded

log = logging.getLogger(__name__)

POLL_MIN_S, POLL_MAX_S = 0.005, 0.050
PACE_S = 0.010
"""Pause after a batch that was not full: broker and folds pay for each batch, not for each event."""
HEARTBEAT_S = leases.LEASE_S / 3
ROWS_PER_BATCH, BYTES_PER_BATCH = 4000, 8 * 1024 * 1024
"""A batch ends at whichever is reached first; up to three batches are in progress."""
ROWS_PER_TURN = 100
PROGRESS_WITHIN_S = 20.0
"""A leader that has work and gets nothing acknowledged for this long loses its lease."""
CHECK_EVERY_S = 0.5
LOOK_AFTER_S = 0.2
"""If the last acknowledgement is older than this, a topic is looked at before it is sent to: it may have been created
anew."""

_UNSENT = AFTER.format(TO_SEND)


@dataclass(slots=True)
class Batch:
    """Records up to `to_seq`, in order by partition, and the highest `seq` on each."""

    to_seq: int
    runs: dict[TopicPartition, list[Record]] = field(default_factory=lambda: defaultdict(list))
    heads: dict[TopicPartition, int] = field(default_factory=dict)
    positions: list[int] = field(default_factory=list)


class Term:
    """One term of leadership, with a producer of its own."""

    def __init__(
        self, relay: RelayContext, lease: Lease, session: Any, sequencer: Connection, cursor_conn: Connection
    ) -> None:
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
        """Renew the lease as long as pending work makes progress. Raises `NoProgress`."""
        while True:
            stuck_s = 0.0 if self._busy_since is None else time.monotonic() - self._busy_since
            if stuck_s > PROGRESS_WITHIN_S:
                raise NoProgress(self.lease.name, stuck_s)
            await leases.hold(conn, self.lease)
            self._relay.turned()
            await asyncio.sleep(HEARTBEAT_S)

    async def check(self) -> None:
        """Notice an ended broker connection and an emptied topic, also while there is nothing to send. Raises
        `KafkaError` and `TopicShortened`."""
        while True:
            self._session.check()
            await self._look_at_topics()
            await self._floor.raise_over(self._cursor_conn)
            if self._held:
                await self._try_refused_again()
            await asyncio.sleep(CHECK_EVERY_S)

    async def _try_refused_again(self) -> None:
        """Number and send events again that were refused a while ago, with the events that wait behind them."""
        async with await self._relay.connect() as conn:
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
        """Compare topics and store, send leftover events, and then new ones as they come."""
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
        """Read the ends of the topics and compare them with the store. Raises `HistoryRewound` and
        `TopicMisconfigured`."""
        names = await generations.current_names(self._sequencer, self._relay.topics)
        await self._relay.examine(list(names.values()))
        kafka = {name: len(await _partitions_of(self._session, name)) for name in names.values()}
        self._standing = await compare(
            self._sequencer, names, kafka, self._relay.tails, self.lease.cursor, self._relay.suspects
        )
        await leases.move_cursor(self._cursor_conn, self.lease, 0, self._standing.heads())

    async def _carry(self) -> None:
        """Pipeline: one batch is sequenced while the one before is encoded and the one before that is sent."""
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
            await ended(sequencing, sending)

    async def _sequence_in_a_while(self) -> list[StoredRow]:
        await self._relay.wait_for_work(POLL_MIN_S, at_least_s=PACE_S)
        return await self._sequence()

    async def _switch(self, *, instead: bool) -> bool:
        """Make the generations current that a replay has filled. Unless a generation stands `instead` of a lost or
        rewound one, the old one must already hold everything."""
        filled = [
            one for one in await generations.load(self._sequencer) if one.state == "filled" and one.instead == instead
        ]
        for one in filled:
            await generations.switch(
                self._sequencer, self.lease, self._session, self._relay.publisher, self._relay.codec, one
            )
            log.info("topic switched", extra={"relay": self._relay.name, "topic": one.name})
        return bool(filled)

    async def _close_old(self) -> None:
        for one in await generations.load(self._sequencer):
            if one.state == "closing":
                await generations.close(self._sequencer, self._session, self._relay.publisher.source, one)

    async def _resend(self) -> None:
        """Send events that are sequenced but not on their topic, before any new event."""
        after = self._standing.resend_after
        while count := await bounded(self._sequencer, after, ROWS_PER_BATCH, BYTES_PER_BATCH):
            rows = await self._rows(_UNSENT, {"after": after, "rows": count})
            await self._send(await self._made(rows))
            after = rows[-1][SEQ]
        self._sequenced = await history.last_seq(self._sequencer)
        self._standing.whole()
        self._relay.suspects.clear()

    async def _sequence(self) -> list[StoredRow]:
        """The next rows in sequence. Empty if there are none, or if this relay is no longer the leader."""
        arguments = sequencing.arguments(self.lease, ROWS_PER_BATCH, BYTES_PER_BATCH, self._floor.position, self._held)
        statement = sequencing.AROUND if self._held else sequencing.ALL
        rows = sorted(await self._rows(statement, arguments), key=itemgetter(SEQ))
        if rows and rows[0][SEQ] != self._sequenced + 1:
            raise LeaseLost(self.lease.name, self.lease.epoch)  # another store has taken this one's place
        self._sequenced = rows[-1][SEQ] if rows else self._sequenced
        return rows

    async def _rows(self, query: str, arguments: Mapping[str, Any]) -> list[StoredRow]:
        return await (await self._sequencer.execute(query, arguments, binary=True)).fetchall()

    async def _made(self, rows: Sequence[StoredRow]) -> Batch:
        """The records of sequenced rows; also tells the listener."""
        batch = Batch(rows[-1][SEQ], positions=[row[POSITION] for row in rows] if self._refused else [])
        for first in range(0, len(rows), ROWS_PER_TURN):
            targets = self._add(batch, rows[first : first + ROWS_PER_TURN])
            if self._relay.listener:
                self._relay.listener.tell(targets)
            await asyncio.sleep(0)  # others get their turn: the relay may share its loop with a server
        return batch

    def _add(self, batch: Batch, rows: Sequence[StoredRow]) -> dict[int, Target | None]:
        """Add the records of `rows`. Returns their targets by insert position if there is a listener."""
        targets: dict[int, Target | None] = {}
        for row in rows:
            place, told = None, self._standing.history(row[SEQ])
            record = self._relay.record(row, told.salt)
            if record is not None:
                place = self._standing.place(record)
                if row[SEQ] > (before := self._standing.highest[place]):
                    batch.runs[place].append(placed(record, told.nonce.encode(), before))
                    batch.heads[place] = self._standing.highest[place] = row[SEQ]
            if self._relay.listener:
                targets[row[POSITION]] = Target(*place, row[SEQ]) if place else None
        return targets

    async def _send(self, batch: Batch) -> None:
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
        telemetry.RELAY_SENT.labels(self._relay.name).inc(count)
        telemetry.RELAY_SEND_SECONDS.labels(self._relay.name).observe(time.perf_counter() - started)
        acknowledged = [(topic, partition, seq) for (topic, partition), seq in sorted(batch.heads.items())]
        await leases.move_cursor(self._cursor_conn, self.lease, batch.to_seq, acknowledged)
        self._busy_since = None

    async def _set_aside(self, refusal: RefusedForGood) -> None:
        """Set the refused event aside. The next term sends the events that need not wait. Uses its own connection: the
        sequencer may be at work."""
        async with await self._relay.connect() as conn, conn.transaction():
            await leases.hold(conn, self.lease)
            await refusing.set_aside(conn, self._standing.histories, refusal.seq, refusal.reason)

    def _acknowledged(self, place: TopicPartition, first: int, count: int) -> None:
        """Raise `TopicShortened` if the sent records stand below the previous end of the partition: it was emptied
        meanwhile, and its records must be sent again."""
        self._progress()
        before, self._standing.ends[place] = self._standing.ends[place], first + count
        if first < before:
            self._relay.suspects.add(place)
            raise TopicShortened(*place, before, first)

    def _span(self, runs: Mapping[TopicPartition, Collection[Record]]) -> contextlib.AbstractContextManager[Span]:
        headers = (dict(record.headers) for run in runs.values() for record in run)
        return tracing.batch("send", SpanKind.CLIENT, self._relay.name, runs, headers)


async def _partitions_of(session: Any, name: str) -> Collection[int]:
    missing = TopicMisconfigured(name, "does not exist; run `prepare`")
    try:
        partitions: Collection[int] = await session.partitions_for(name)
    except UnknownTopicOrPartitionError as unknown:
        raise missing from unknown
    if not partitions:
        raise missing
    return partitions


def _nothing() -> asyncio.Future[None]:
    """A future that is already done."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done
