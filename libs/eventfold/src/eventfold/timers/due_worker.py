"""The due-date worker: looks at streams whose due date has come, under a lease, and records the resulting events.

One look: in a transaction of its own, the lease holder takes a bounded number of dates and moves each to its next look
(a retry after a pause). Then the handlers return the commands that follow; they may ask outside. Last, one transaction
that holds the lease records the events and removes the dates. So a look that dies at any point is repeated after the
pause, and a holder that was stopped past its lease records nothing. Time comes from `clock`; only the lease uses the
database's clock. If the clock is put back, nobody has to wait: `elapsed` says how much time has really passed, and
dates that the clock set too far ahead are brought nearer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from opentelemetry.trace import Span, SpanKind
from psycopg import OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout

from eventfold import telemetry, tracing
from eventfold.errors import Blocked, DomainError, LeaseLost, OutcomeUnknown, VersionConflict
from eventfold.postgres.sessions import Connection
from eventfold.publish import lease as leases
from eventfold.publish.lease import Lease
from eventfold.vocabulary.decider import Context, Item, event_id
from eventfold.vocabulary.due import HANDLE_WITHIN_S, MAX_DOUBLINGS, Due, DueHandler
from eventfold.write import due_dates
from eventfold.write.commands import retry_pause_s
from eventfold.write.desk import Outcome
from eventfold.write.due_dates import Taken
from eventfold.write.store import EventStore

log = logging.getLogger(__name__)

STREAMS_A_LOOK = 50
POLL_MIN_S, POLL_MAX_S = 0.020, 1.0
RENEW_EVERY_S = leases.LEASE_S / 3
RECORD_ATTEMPTS = 8
RETRY_S = 0.5
IDLE_IN_TRANSACTION_MS = 2000
CLOCK_JUMP = timedelta(seconds=1)
"""Pauses are set anew when the clock was put back by more than this, compared with the time that really passed."""
PASSING = (LeaseLost, VersionConflict, OperationalError, IdleInTransactionSessionTimeout)


class _Cause(NamedTuple):
    """The event that set a date: its id, and its trace if spans are recorded."""

    id: str
    traceparent: str | None


def elapsed_s() -> float:
    """Seconds that have really passed since the machine started, including sleep. Nobody can set this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class DueWorker:
    """Runs until cancelled; `wake()` makes it look at once instead of at its next poll.

    `connect` opens a connection of its own, in autocommit mode. A slow provider delays the other dates of the same
    look. If others must be on time, give handlers that ask outside a worker (and so a lease) of their own.
    """

    def __init__(
        self,
        *,
        name: str,
        holder: str,
        connect: Callable[[], Awaitable[Connection]],
        store: EventStore,
        handlers: Sequence[DueHandler],
        clock: Callable[[], datetime],
        rng: random.Random,
        elapsed: Callable[[], float] = elapsed_s,
    ) -> None:
        self._name = name
        self._holder = holder
        self._connect = connect
        self._store = store
        self._handlers: Mapping[str, DueHandler] = {one.stream_type.name: one for one in handlers}
        self._clock = clock
        self._rng = rng
        self._elapsed = elapsed
        self._seen: tuple[datetime, float] | None = None
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Tell the worker that something may be due. Never blocks."""
        self._awake.set()

    async def run(self) -> None:
        """Look whenever the lease is free. Lost leases and connections only cause a new start; a handler's own failure
        is raised."""
        while True:
            try:
                await self._try_to_lead()
            except PASSING as failure:
                log.warning("due-date worker starts again", extra={"worker": self._name, "reason": repr(failure)})
            await asyncio.sleep(RETRY_S)

    async def _try_to_lead(self) -> None:
        async with await self._connect() as conn:
            await conn.execute(f"SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS}")
            lease = await leases.acquire(conn, self._name, self._holder)
            if lease is None:
                return
            self._seen = None  # what the clock did meanwhile is unknown
            try:
                await self._lead(conn, lease)
            finally:
                telemetry.DUE_LAG_SECONDS.labels(self._name).set(0)
                with contextlib.suppress(OperationalError):
                    await leases.release(conn, lease)

    async def _lead(self, conn: Connection, lease: Lease) -> None:
        idle_s = POLL_MIN_S
        while True:
            if await self.look(conn, lease):
                idle_s = POLL_MIN_S
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(idle_s):
                    await self._awake.wait()
            self._awake.clear()
            idle_s = min(POLL_MAX_S, idle_s * 2)

    async def look(self, conn: Connection, lease: Lease) -> int:
        """Look once at the dates that are due, at most `STREAMS_A_LOOK` streams. Returns how many there were.

        Raises `LeaseLost` (then nothing more is recorded), `VersionConflict` if writers keep conflicting, and the error
        of a handler.
        """
        taken = await self._take(conn, lease)
        if taken and (items := await self._handle(conn, lease, taken)):
            await self._record(conn, lease, items)
        return len(taken)

    async def _take(self, conn: Connection, lease: Lease) -> list[Taken]:
        now = self._clock()

        def next_look(stream_type: str, attempt: int) -> datetime:
            return now + self._handlers[stream_type].pace.pause(attempt, self._rng)

        async with conn.transaction():
            await leases.hold(conn, lease)
            await self._bound(conn, now)
            taken = await due_dates.take(conn, list(self._handlers), now, STREAMS_A_LOOK, next_look)
        oldest = min((one.was_due_at for one in taken), default=now)
        telemetry.DUE_LAG_SECONDS.labels(self._name).set((now - oldest).total_seconds())
        return taken

    async def _bound(self, conn: Connection, now: datetime) -> None:
        """At the first look of a term, and whenever the clock was put back since the last look: let no pause last
        longer than it was meant to."""
        elapsed, seen = self._elapsed(), self._seen
        passed = timedelta(0) if seen is None else timedelta(seconds=elapsed - seen[1])
        back = timedelta(0) if seen is None else passed - (now - seen[0])
        if seen is None or back > CLOCK_JUMP:
            near = await due_dates.bound(conn, self._longest(), now, back)
            if near:
                log.warning(
                    "due dates lay too far ahead: a clock was put back", extra={"worker": self._name, "dates": near}
                )
        self._seen = (now, elapsed)

    def _longest(self) -> due_dates.Longest:
        attempts = range(MAX_DOUBLINGS + 2)
        return {name: [one.pace.at_most(max(1, n)) for n in attempts] for name, one in self._handlers.items()}

    async def _handle(self, conn: Connection, lease: Lease, taken: Sequence[Taken]) -> list[tuple[Taken, Item]]:
        """The items that the handlers return, with the lease renewed meanwhile. Handlers that return nothing are left
        out."""
        asks = {one: self._handlers[one.stream_type].stream_type.at(one.stream_id) for one in taken}
        states = await self._store.states(conn, list(asks.values()))
        versions = [(ask.stream, one.version) for one, ask in asks.items()]
        traces = await due_dates.causes(conn, versions) if tracing.recording() else {}
        salts = await due_dates.salts(conn, versions)
        causes = {
            ask.stream: _Cause(
                str(event_id(ask.stream, one.version, salts.get(ask.stream, ""))), traces.get(ask.stream)
            )
            for one, ask in asks.items()
        }
        tasks = {
            asyncio.ensure_future(self._one(one, states[ask.stream], causes[ask.stream])): one
            for one, ask in asks.items()
        }
        try:
            pending = set(tasks)
            while pending:
                _, pending = await asyncio.wait(pending, timeout=RENEW_EVERY_S)
                if pending:
                    await leases.hold(conn, lease)
            return [(one, item) for task, one in tasks.items() if (item := task.result())]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, taken: Taken, state: Any, cause: _Cause) -> Item | None:
        try:
            item = await self._asked(taken, state, cause)
        except (OutcomeUnknown, TimeoutError) as failure:
            log.warning("asked again later", extra={**_place(taken), "reason": repr(failure)})
            item = None
        except DomainError as failure:
            self._refused(taken, failure)
            return None
        if item is None:
            self._count(taken, "later")
        return item

    async def _asked(self, taken: Taken, state: Any, cause: _Cause) -> Item | None:
        """The item that the handler returns, in a span that continues in the resulting events."""
        due = Due(stream_id=taken.stream_id, state=state, since=taken.set_at, attempt=taken.attempt, now=self._clock())
        with self._span(taken, cause.traceparent):
            async with asyncio.timeout(HANDLE_WITHIN_S):
                item = await self._handlers[taken.stream_type].handle(due)
            if item is None:
                return None
            said = item.context or Context(self._clock(), self._name, taken.correlation_id or cause.id, cause.id)
            return replace(item, context=replace(said, traceparent=tracing.current() or said.traceparent))

    def _span(self, taken: Taken, cause: str | None) -> contextlib.AbstractContextManager[Span]:
        """Linked to the event that set the date, but not a part of its trace, which may have ended weeks ago."""
        attributes = {
            "eventfold.worker": self._name,
            "eventfold.stream_type": taken.stream_type,
            "eventfold.attempt": taken.attempt,
        }
        links = tracing.links([cause]) if cause else ()
        return tracing.span(f"due {taken.stream_type}", SpanKind.INTERNAL, attributes, links=links)

    async def _record(self, conn: Connection, lease: Lease, items: Sequence[tuple[Taken, Item]]) -> None:
        """Record the items whose dates still stand. If another open transaction holds a stream, the others are recorded
        without it, and it is looked at again after its pause."""
        try:
            results = await self._recorded(conn, lease, items)
        except Blocked as blocked:
            if len(items) > 1:
                for one in items:
                    await self._record(conn, lease, [one])
                return
            log.warning("looked at again later", extra={**_place(items[0][0]), "reason": str(blocked)})
            self._count(items[0][0], "later")
            return
        for taken, outcome in results:
            if outcome is None:
                self._count(taken, "moved")
            elif outcome.error:
                self._refused(taken, outcome.error)
            else:
                self._count(taken, "recorded")

    async def _recorded(
        self, conn: Connection, lease: Lease, items: Sequence[tuple[Taken, Item]]
    ) -> list[tuple[Taken, Outcome | None]]:
        """Record in one transaction. Concurrent writers make it start again, at most `RECORD_ATTEMPTS` times."""
        for attempt in range(1, RECORD_ATTEMPTS + 1):
            try:
                async with conn.transaction():
                    await leases.hold(conn, lease)
                    return await self._decide(conn, items)
            except VersionConflict as conflict:
                if attempt == RECORD_ATTEMPTS or isinstance(conflict, Blocked):
                    raise
            await asyncio.sleep(retry_pause_s(attempt, self._rng))
        raise AssertionError("the last attempt returns or raises")

    async def _decide(
        self, conn: Connection, items: Sequence[tuple[Taken, Item]]
    ) -> list[tuple[Taken, Outcome | None]]:
        """The outcome for each date that still stands as it was taken; None for the others. Dates of accepted items are
        settled."""
        await self._store.wait_for_turns(conn, [ask for _, item in items for ask in item.asks])
        standing = {one.key for one in await due_dates.standing(conn, [taken for taken, _ in items])}
        deciding = [(taken, item) for taken, item in items if taken.key in standing]
        context = Context(self._clock(), self._name, self._name)
        outcomes, _ = await self._store.decide(conn, [item for _, item in deciding], context)
        found = {taken.key: outcome for (taken, _), outcome in zip(deciding, outcomes, strict=True)}
        await due_dates.settle(conn, [taken for taken, _ in deciding if not found[taken.key].error])
        return [(taken, found.get(taken.key)) for taken, _ in items]

    def _refused(self, taken: Taken, failure: DomainError) -> None:
        log.error("refused when due: somebody must look", extra={**_place(taken), "code": failure.code})
        self._count(taken, "refused")

    def _count(self, taken: Taken, result: str) -> None:
        telemetry.DUE_LOOKS.labels(self._name, taken.stream_type, result).inc()


def _place(taken: Taken) -> dict[str, Any]:
    return {"stream_type": taken.stream_type, "stream_id": taken.stream_id, "attempt": taken.attempt}
