"""The relay: numbers committed events and sends them to Kafka in order. One leader at a time does this.

Insert positions are not in commit order. So the leader takes the visible events that have no `seq`, in position order,
and assigns dense numbers in its own transaction. Version n + 1 of a stream is only ever written by a writer that saw
version n, so streams stay in order. Then the leader sends everything after its cursor, and moves the cursor once all of
it is acknowledged.

Readers rely on this property: every session of every relay writes, per partition, an unbroken run that starts after the
last record of the partition. So any `seq` on a partition has all its lower ones before it, and a fold that drops every
event not above its highest `seq` drops only duplicates. Therefore one batch at a time is in flight per partition. After
any error the producer is dropped and the run starts again; no record is ever skipped or resent alone. While a batch is
sent, the next ones are sequenced and encoded, but none is sent before the previous one is acknowledged.

Each term begins with a comparison of the topics with the store (`eventfold.publish.witness`). If a broker lost
acknowledged records, they are sent again before anything new. If the store lost events that are on its topics, nothing
is sent (`HistoryRewound`). The end of a broker's connection ends the term.

Each term reads at its start which generation of each topic is written. The generation changes only there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from aiokafka.errors import KafkaError
from psycopg import Error as PsycopgError
from psycopg import OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout

from eventfold import telemetry
from eventfold.errors import (
    HistoryRewound,
    LeaseLost,
    NoProgress,
    OfNewerBuild,
    RefusedForGood,
    TopicMisconfigured,
    TopicShortened,
)
from eventfold.postgres.sessions import Connection
from eventfold.publish import lag
from eventfold.publish import lease as leases
from eventfold.publish.relay_context import RelayContext
from eventfold.publish.sending import started
from eventfold.publish.tasks import together
from eventfold.publish.term import Term

log = logging.getLogger(__name__)

RETRY_S = 0.5
RETRY_MAX_S = 3.0
"""Longest pause between terms without progress: another relay that can work should get its turn."""
LEAVE_WITHIN_S = 2.0
RESTARTING = (
    LeaseLost,
    KafkaError,
    OperationalError,
    IdleInTransactionSessionTimeout,
    TopicMisconfigured,
    HistoryRewound,
    NoProgress,
    TopicShortened,
    RefusedForGood,
    OfNewerBuild,
)
"""Failures that end a term, but not the relay."""
IDLE_IN_TRANSACTION_MS = 2000


class Relay(RelayContext):
    """Runs until cancelled; `wake()` makes it look at once instead of at its next poll."""

    async def run(self) -> None:
        """Lead whenever the lease is free. Lost leases, connections and brokers only cause a new start."""
        telemetry.RELAY_LEADING.labels(self.name).set(0)
        await together(self._terms(), self._watch())

    async def _terms(self) -> None:
        pause_s = RETRY_S
        while True:
            self.turned()
            try:
                await self._try_to_lead()
                pause_s = RETRY_S
            except RESTARTING as failure:
                self._tell(failure)
                if isinstance(failure, RefusedForGood):
                    continue  # events that need not wait go on at once
                pause_s = min(RETRY_MAX_S, pause_s * 2) if self.came_to_nothing else RETRY_S
            await asyncio.sleep(pause_s)

    def _tell(self, failure: Exception) -> None:
        telemetry.RELAY_RESTARTS.labels(self.name).inc()
        extra = {"relay": self.name, "reason": repr(failure)}
        if isinstance(failure, HistoryRewound):
            self.rewound = failure
            telemetry.RELAY_REWOUND.labels(self.name).set(1)
            log.critical("relay sends nothing: %s", failure, extra=extra)
        else:
            log.warning("relay restarts where its topics end", extra=extra)

    async def _watch(self) -> None:
        """Measure how late the service's events are, whichever relay leads. Uses its own connections, because
        monitoring must not stop the relay."""
        while True:
            try:
                async with asyncio.timeout(lag.LOOK_EVERY_S), await self.connect() as conn:
                    late_s = await lag.of_relay_s(conn, self.name)
                telemetry.RELAY_LAG_SECONDS.labels(self.name).set(late_s)
            except (PsycopgError, TimeoutError) as failure:
                log.warning("cannot tell the relay's lag", extra={"relay": self.name, "reason": repr(failure)})
            await asyncio.sleep(lag.LOOK_EVERY_S)

    async def _try_to_lead(self) -> None:
        self.came_to_nothing = True
        async with contextlib.AsyncExitStack() as stack:
            sequencer, cursor_conn = [await stack.enter_async_context(await self.connect()) for _ in range(2)]
            # If the planner has seen the queue empty once, it would read the whole queue with each later query.
            await sequencer.execute("SET enable_seqscan = off")
            # If the cursor falls back, records are only repeated. So its moves need not wait for the disk.
            await cursor_conn.execute("SET synchronous_commit = off")
            for conn in (sequencer, cursor_conn):
                await conn.execute(f"SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS}")
            if not await leases.is_free(cursor_conn, self.name):
                return
            # Start the producer first: a relay that cannot reach Kafka must not keep the lease from others that can.
            session = await stack.enter_async_context(started(self.producers()))
            if lease := await leases.acquire(cursor_conn, self.name, self.holder):
                heartbeat_conn = await stack.enter_async_context(await self.connect())
                await self._lead(
                    Term(relay=self, lease=lease, session=session, sequencer=sequencer, cursor_conn=cursor_conn),
                    heartbeat_conn,
                )

    async def _lead(self, term: Term, heartbeat_conn: Connection) -> None:
        telemetry.RELAY_LEADING.labels(self.name).set(term.lease.epoch)
        try:
            await together(term.heartbeat(heartbeat_conn), term.lead(), term.check())
        finally:
            telemetry.RELAY_LEADING.labels(self.name).set(0)
            if self.listener:
                self.listener.forget()
            with contextlib.suppress(PsycopgError, TimeoutError):
                async with asyncio.timeout(LEAVE_WITHIN_S):
                    await leases.release(heartbeat_conn, term.lease)
