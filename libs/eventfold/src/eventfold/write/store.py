"""The event store: loads streams, takes decisions and appends their events, all in one transaction.

The events table is the outbox: the relay publishes the committed events, in stream order, exactly as they were decided.
Bad decisions, encodings and collisions leave nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from typing import Any, Protocol

import orjson
from psycopg import DataError
from psycopg.types.json import set_json_loads

from eventfold.errors import (
    Blocked,
    Contention,
    DeadlineExceeded,
    IdempotencyMismatch,
    TooMuchAtOnce,
    Unrecordable,
    VersionConflict,
)
from eventfold.postgres.sessions import Connection, Pool
from eventfold.vocabulary.codec import EventCodec
from eventfold.vocabulary.decider import Address, Context, Item, Recorded
from eventfold.write.appending import append
from eventfold.write.commands import (
    Answer,
    Handled,
    PendingCommand,
    each_answer,
    hot_streams,
    lines_of,
    no_answer,
    replayed_answer,
    retry_pause_s,
    transaction,
    unless_failed,
)
from eventfold.write.desk import Desk, Outcome, unwritten
from eventfold.write.hot import HotQueue
from eventfold.write.idempotency import Idempotency, answered, keep_answers
from eventfold.write.loading import Loader
from eventfold.write.rows import (
    AT,
    StoredRow,
    recorded,
    row_of,
)
from eventfold.write.snapshots import SAVE as SAVE_SNAPSHOTS
from eventfold.write.snapshots import due
from eventfold.write.standstill import Standstill, waiting_for

set_json_loads(orjson.loads)

DEADLINE_S = 30.0
"""Deadline of a command for which no caller waits."""


class Publication(Protocol):
    """The part of publishing that the store needs: it encodes the public form of an event before the commit, so that
    every recorded event can be sent."""

    @property
    def source(self) -> str:
        """`ce_source` of everything that is published."""

    def value(self, recorded: Recorded) -> bytes | None:
        """The event's public form, encoded; None if it has none. Raises `Unpublishable`."""


class EventStore:
    """Decides and appends over a pool of connections in autocommit mode. Its statements wait for no lock longer than
    `standstill.LOCK_WAIT_MS`.

    One instance per service process; safe for concurrent use. Pure reads use the pool `queries`, if there is one, so
    that commands cannot take its connections. `deadline_s` returns how long the present caller waits.
    """

    def __init__(
        self,
        pool: Pool,
        codec: EventCodec,
        publication: Publication,
        rng: random.Random,
        queries: Pool | None = None,
        deadline_s: Callable[[], float] = lambda: DEADLINE_S,
    ) -> None:
        self._pool = pool
        self._queries = queries or pool
        self._codec = codec
        self._publication = publication
        self._rng = rng
        self._deadline_s = deadline_s
        self._loader = Loader(codec)
        self._hot: HotQueue[PendingCommand, Handled] = HotQueue(self._together)
        self._standstill = Standstill()

    def reading(self) -> contextlib.AbstractAsyncContextManager[Connection]:
        """A connection for pure reads. Raises PoolTimeout."""
        return self._queries.connection()

    @property
    def source(self) -> str:
        """`ce_source` of the events recorded here."""
        return self._publication.source

    async def load(self, conn: Connection, streams: Iterable[str]) -> dict[str, list[Recorded]]:
        """The events of each stream in version order; a stream without any maps to an empty list. All are held in
        memory, so use it only for streams that are known to be short; for others use `state`."""
        return await self._loader.load(conn, streams)

    async def at(self, conn: Connection, position: int) -> Recorded | None:
        """The event at an insert position; None if there is none."""
        cursor = await conn.execute(AT, [position])
        row = await cursor.fetchone()
        return None if row is None else recorded(self._codec, row)

    async def last_position(self) -> int | None:
        """The highest insert position so far; None in an empty store."""
        async with self.reading() as conn:
            row = await (await conn.execute("SELECT max(position) FROM events")).fetchone()
            return int(row[0]) if row and row[0] is not None else None

    async def state(self, conn: Connection, address: Address, *, as_of: datetime | None = None) -> Any:
        """The state of a stream, now or as it was recorded by `as_of`."""
        if as_of is None:
            return (await self.states(conn, [address]))[address.stream]
        history = (await self.load(conn, [address.stream]))[address.stream]
        by_then = takewhile(lambda recorded: recorded.recorded_at <= as_of, history)
        return address.stream_type.decider.fold([recorded.event for recorded in by_then])

    async def states(self, conn: Connection, addresses: Sequence[Address]) -> dict[str, Any]:
        """The present state of each stream, by its full name."""
        known = await self._loader.known(conn, {one.stream: one for one in addresses}, in_turn=False)
        return {stream: one.state for stream, one in known.items()}

    async def current(self, address: Address) -> Any:
        """`state`, over a connection of the store's own."""
        async with self.reading() as conn:
            return await self.state(conn, address)

    async def handle(
        self,
        item: Item,
        context: Context,
        *,
        idempotency: Idempotency | None = None,
        answer: Answer = no_answer,
        deadline_s: float | None = None,
    ) -> Handled:
        """Take one decision and record it, together with others that wait for the same hot stream.

        Raises the decider's `DomainError`, `UnexpectedVersion` if an ask expects another version (this is not retried),
        `IdempotencyMismatch`, `Unpublishable` and `Unrecordable`. After `deadline_s` (default: the caller's) raises
        `Contention` if nothing was written, `DeadlineExceeded` if that is not known, and PoolTimeout if no connection
        was free.
        """
        command = PendingCommand(
            items=[item],
            context=context,
            idempotency=idempotency,
            answer=answer,
            give_up_at=self._give_up_at(deadline_s),
            raise_errors=True,
        )
        if hot := hot_streams(item.asks):
            return await self._hot.ask(hot[0], command, command.give_up_at)
        return await self._handle(command)

    async def handle_batch(
        self,
        items: Sequence[Item],
        context: Context,
        *,
        idempotency: Idempotency | None = None,
        answer: Answer = no_answer,
        deadline_s: float | None = None,
    ) -> Handled:
        """Decide `items` in order within one transaction. Refused items record nothing; the others are recorded.

        If writers conflict, the whole batch starts again from fresh streams, with jitter, until `deadline_s`.
        """
        give_up_at = self._give_up_at(deadline_s)
        return await self._handle(
            PendingCommand(
                items=items,
                context=context,
                idempotency=idempotency,
                answer=answer,
                give_up_at=give_up_at,
                raise_errors=False,
            )
        )

    def _give_up_at(self, deadline_s: float | None) -> float:
        return time.monotonic() + (self._deadline_s() if deadline_s is None else deadline_s)

    async def _handle(self, command: PendingCommand) -> Handled:
        attempt = 0
        while True:
            attempt += 1
            try:
                [made] = await self._try([command], trust_new=attempt == 1)
                return unless_failed(made)
            except VersionConflict as conflict:
                await asyncio.sleep(min(retry_pause_s(attempt, self._rng), command.left_s))
                if command.left_s == 0:
                    raise Contention(conflict.streams, attempt) from conflict

    async def _try(self, commands: Sequence[PendingCommand], *, trust_new: bool) -> list[Handled | Exception]:
        """One attempt, within the longest remaining time of the commands. Commands on streams that stand still wait for
        their turn."""
        begun, left_s = False, max(command.left_s for command in commands)
        try:
            async with asyncio.timeout(left_s) as limit, self._standstill.turn(lines_of(commands)) as in_turn:
                begun = True
                with waiting_for(lines_of(commands)):
                    return await self._attempt(commands, trust_new, left_s, () if in_turn else lines_of(commands))
        except Blocked as blocked:
            self._standstill.note(blocked)
            raise
        except TimeoutError as timeout:
            if not limit.expired():
                raise
            raise DeadlineExceeded("a command") if begun else Contention(tuple(lines_of(commands)), 0) from timeout

    async def _together(self, commands: Sequence[PendingCommand]) -> Sequence[Handled | Exception]:
        """Decide several commands in one transaction. If one of them spoils it, each is decided alone; so is each that
        exceeds the limits of a transaction. Raises `Blocked`."""
        if len(commands) > 1:
            try:
                made = await self._try(commands, trust_new=False)
                return [
                    await self._alone(command) if isinstance(answer, TooMuchAtOnce) else answer
                    for command, answer in zip(commands, made, strict=True)
                ]
            except Blocked:
                raise
            except (VersionConflict, IdempotencyMismatch, Unrecordable, DataError):
                pass  # trying each alone shows which of them it was
        return [await self._alone(command) for command in commands]

    async def _alone(self, command: PendingCommand) -> Handled | Exception:
        try:
            return await self._handle(command)
        except Exception as failure:  # noqa: BLE001 - it is raised where the command came from
            return failure

    async def _attempt(
        self, commands: Sequence[PendingCommand], trust_new: bool, left_s: float, lines: Iterable[str]
    ) -> list[Handled | Exception]:
        """The result of each command, all in one transaction. A command that was answered before decides nothing.
        Raises `Blocked` if one of `lines` came to stand still during the wait for a connection."""
        async with self._pool.connection(min(left_s, self._pool.timeout)) as conn:
            await self._standstill.ready(conn, lines)
            async with transaction(conn, commands):
                desk, made, answers = await self._answers(conn, commands, trust_new)
        self._remember(desk)
        fresh = iter(made)
        return [answer or next(fresh) for answer in answers]

    async def _answers(
        self, conn: Connection, commands: Sequence[PendingCommand], trust_new: bool
    ) -> tuple[Desk, list[Handled | Exception], list[Handled | None]]:
        """The desk, the result of each command that had to be decided, and for each command its stored answer."""
        keys = [command.idempotency for command in commands if command.idempotency]
        known = await answered(conn, keys) if keys else {}
        answers = [replayed_answer(command, known) for command in commands]
        asking = [command for command, answer in zip(commands, answers, strict=True) if answer is None]
        items = [replace(item, context=item.context or one.context) for one in asking for item in one.items]
        desk, outcomes, positions = await self._decide(conn, items, commands[0].context, trust_new)
        made = list(each_answer(asking, outcomes, positions))
        await keep_answers(
            conn,
            [
                (one.idempotency, handled.answer, handled.position, one.context.now)
                for one, handled in zip(asking, made, strict=True)
                if one.idempotency and isinstance(handled, Handled)
            ],
        )
        return desk, made, answers

    def _remember(self, desk: Desk) -> None:
        """Keep the committed states of streams whose type is remembered."""
        for stream, known in desk.states.items():
            kind = desk.asks[stream].stream_type
            if (kind.hot or kind.snapshots or kind.remembered) and known.recorded_at is not None:
                self._loader.remembered.put(stream, known)

    async def decide(
        self, conn: Connection, items: Sequence[Item], context: Context, *, trust_new: bool = False
    ) -> tuple[list[Outcome], int | None]:
        """Decide and append over the caller's connection, in its transaction if it has begun one.

        All events are inserted by one statement, so in autocommit mode they are committed together when this returns.
        Hot streams need a transaction: their locks last until its end. With `trust_new`, streams said to be new are not
        read. Returns the outcomes, with `Unpublishable` and `Unrecordable` among their errors, and the highest position
        written. Raises `VersionConflict`; a transaction is then aborted: roll back and retry.
        """
        _, outcomes, positions = await self._decide(conn, items, context, trust_new)
        return outcomes, max(positions, default=None)

    async def _decide(
        self, conn: Connection, items: Sequence[Item], context: Context, trust_new: bool
    ) -> tuple[Desk, list[Outcome], list[int]]:
        asks = {ask.stream: ask for item in items for ask in item.asks}
        known = {
            stream: unwritten(ask) for stream, ask in asks.items() if trust_new and ask.new and not ask.stream_type.hot
        }
        unread = {stream: ask for stream, ask in asks.items() if stream not in known}
        known |= await self._loader.known(conn, unread, in_turn=True)
        desk = Desk(self._codec, known, asks, self._row)
        outcomes = await desk.decide_all(items, context)
        events = [event for outcome in outcomes for event in outcome.events]
        positions = await append(conn, events, desk.rows, asks)
        if snapshots := due(known, desk.states, asks):
            await conn.execute(SAVE_SNAPSHOTS, snapshots)
        return desk, outcomes, positions

    async def wait_for_turns(self, conn: Connection, addresses: Iterable[Address]) -> None:
        """Take the locks of hot streams as their writers do, before anything else is locked. They last until the end of
        the caller's transaction."""
        if hot := hot_streams(addresses):
            await self._loader.rows_after(conn, {}, {}, hot, at_most=0)

    def _row(self, event: Recorded) -> StoredRow:
        return row_of(self._codec, event, self._publication.value)
