"""The event store: loads streams, takes decisions and appends their events, all in one transaction.

The events table is the outbox: what is committed here will be published by the relay, in stream order, exactly as
decided. Bad decisions, encodings and collisions leave nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool

from eventfold.codec import EventCodec
from eventfold.decider import Ask, Context, Item, Recorded
from eventfold.errors import Contention, DomainError, IdempotencyMismatch, VersionConflict

set_json_loads(orjson.loads)

Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]

RETRY_FIRST_S = 0.002
RETRY_MAX_S = 0.050

COLUMNS = "stream, version, type, schema_version, data, partition_key, occurred_at, recorded_at, meta, position, seq"
_LOAD = f"SELECT {COLUMNS} FROM events WHERE stream = ANY(%s) ORDER BY stream, version"
_AT = f"SELECT {COLUMNS} FROM events WHERE position = %s"

_FIELDS = "stream, version, type, schema_version, data, partition_key, occurred_at, recorded_at, meta"
_ONE = f"INSERT INTO events ({_FIELDS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING position"
_MANY = f"""INSERT INTO events ({_FIELDS}) SELECT {_FIELDS}
FROM unnest(%s::text[], %s::int[], %s::text[], %s::smallint[], %s::text[]::jsonb[], %s::text[],
            %s::timestamptz[], %s::timestamptz[], %s::text[]::jsonb[])
WITH ORDINALITY AS t({_FIELDS}, n) ORDER BY n RETURNING position"""


class Publication(Protocol):
    """What the store asks of publishing: to refuse, before the commit, an event that could not be sent later."""

    def check(self, recorded: Recorded) -> None:
        """Raise `Unpublishable` unless the event encodes within its bounds."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's key for one command: `scope` joins caller and RPC, `fingerprint` is an HMAC over the input."""

    scope: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item: its new events (none: it had been done before), or the reason for its refusal."""

    events: tuple[Recorded, ...] = ()
    error: DomainError | None = None


@dataclass(frozen=True, slots=True)
class Handled:
    """The result of a command: ids for its answer and the position that its consistency token points to.

    `position` is None when nothing was recorded. When `replayed`, a stored answer came back and `outcomes` is empty.
    """

    answer: Mapping[str, Any]
    position: int | None
    outcomes: tuple[Outcome, ...] = ()
    replayed: bool = False


Answer = Callable[[Sequence[Outcome]], dict[str, Any]]


def _no_answer(_: Sequence[Outcome]) -> dict[str, Any]:
    return {}


class EventStore:
    """Decides and appends over a pool of connections in autocommit mode.

    One instance per service process; safe for concurrent use.
    """

    def __init__(self, pool: Pool, codec: EventCodec, publication: Publication, rng: random.Random) -> None:
        self._pool = pool
        self._codec = codec
        self._publication = publication
        self._rng = rng

    async def load(self, conn: Connection, streams: Iterable[str]) -> dict[str, list[Recorded]]:
        """All events of each stream in version order; a stream without events maps to an empty list."""
        loaded: dict[str, list[Recorded]] = {stream: [] for stream in streams}
        cursor = await conn.execute(_LOAD, [list(loaded)])
        for row in await cursor.fetchall():
            loaded[row[0]].append(recorded(self._codec, row))
        return loaded

    async def at(self, conn: Connection, position: int) -> Recorded | None:
        """The event at an insert position; None if there is none."""
        cursor = await conn.execute(_AT, [position])
        row = await cursor.fetchone()
        return None if row is None else recorded(self._codec, row)

    async def last_position(self) -> int | None:
        """The highest insert position so far; None in an empty store."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute("SELECT max(position) FROM events")).fetchone()
            return int(row[0]) if row and row[0] is not None else None

    async def state(self, conn: Connection, ask: Ask) -> Any:
        """The present state of the stream that `ask` addresses; its command is not looked at."""
        history = (await self.load(conn, [ask.stream]))[ask.stream]
        return ask.stream_type.decider.fold([recorded.event for recorded in history])

    async def current(self, ask: Ask) -> Any:
        """`state` over a connection of the store's own."""
        async with self._pool.connection() as conn:
            return await self.state(conn, ask)

    async def handle(
        self,
        item: Item,
        context: Context,
        *,
        idempotency: Idempotency | None = None,
        answer: Answer = _no_answer,
        deadline_s: float = 5.0,
    ) -> Handled:
        """Take one decision and record it.

        Raises the decider's `DomainError`, `IdempotencyMismatch`, `Unpublishable`, or `Contention` after `deadline_s`.
        """
        return await self.handle_batch(
            [item], context, idempotency=idempotency, answer=answer, deadline_s=deadline_s, raise_errors=True
        )

    async def handle_batch(
        self,
        items: Sequence[Item],
        context: Context,
        *,
        idempotency: Idempotency | None = None,
        answer: Answer = _no_answer,
        deadline_s: float = 30.0,
        raise_errors: bool = False,
    ) -> Handled:
        """Decide `items` in order within one transaction; refused items record nothing, the others stand.

        Conflicting writers make the whole batch start again from fresh streams, with jitter, until `deadline_s`.
        """
        give_up_at = time.monotonic() + deadline_s
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(items, context, idempotency, answer, raise_errors, trust_new=attempt == 1)
            except VersionConflict as conflict:
                if time.monotonic() >= give_up_at:
                    raise Contention(conflict.streams, attempt) from conflict
            await asyncio.sleep(min(RETRY_MAX_S, RETRY_FIRST_S * 2**attempt) * self._rng.random())

    async def _attempt(
        self,
        items: Sequence[Item],
        context: Context,
        idempotency: Idempotency | None,
        answer: Answer,
        raise_errors: bool,
        trust_new: bool,
    ) -> Handled:
        async with self._pool.connection() as conn, _transaction(conn, items, idempotency):
            if idempotency and (stored := await self._stored_answer(conn, idempotency)):
                return stored
            outcomes, position = await self.decide(conn, items, context, trust_new=trust_new)
            if raise_errors and outcomes[0].error:
                raise outcomes[0].error
            ids = answer(outcomes)
            if idempotency:
                await self._store_answer(conn, idempotency, ids, position, context)
            return Handled(ids, position, tuple(outcomes))

    async def decide(
        self, conn: Connection, items: Sequence[Item], context: Context, *, trust_new: bool = False
    ) -> tuple[list[Outcome], int | None]:
        """Decide and append over the caller's connection, in its transaction if it has begun one.

        All events go in by one statement, so in autocommit mode they are committed together when this returns. Hot
        streams need a transaction: their locks last until its end. With `trust_new`, streams said to be new are not
        read. Returns the outcomes and the highest position written. Raises `VersionConflict` (a transaction is then
        aborted: roll back and retry) or `Unpublishable`.
        """
        asks = {ask.stream: ask for item in items for ask in item.asks}
        await self._lock_hot(conn, asks.values())
        history: dict[str, list[Recorded]] = {stream: [] for stream, ask in asks.items() if trust_new and ask.new}
        if len(history) < len(asks):
            history |= await self.load(conn, [stream for stream in asks if stream not in history])
        desk = _Desk(self._codec, history, asks)
        outcomes = [desk.decide(item, context) for item in items]
        position = await self._insert(conn, [event for outcome in outcomes for event in outcome.events])
        return outcomes, position

    async def _lock_hot(self, conn: Connection, asks: Iterable[Ask]) -> None:
        """Writers of hot streams queue here, in one order for all, before anything is read."""
        for stream in sorted(ask.stream for ask in asks if ask.stream_type.hot):
            await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [stream])

    async def _insert(self, conn: Connection, events: Sequence[Recorded]) -> int | None:
        if not events:
            return None
        for event in events:
            self._publication.check(event)
        try:
            statement, values = _insertion(_rows(self._codec, events))
            cursor = await conn.execute(statement, values)
        except UniqueViolation as violation:
            raise VersionConflict(tuple(sorted({event.stream for event in events}))) from violation
        return max(int(row[0]) for row in await cursor.fetchall())

    async def _stored_answer(self, conn: Connection, idempotency: Idempotency) -> Handled | None:
        cursor = await conn.execute(
            "SELECT fingerprint, answer FROM idempotency WHERE scope = %s AND key = %s",
            [idempotency.scope, idempotency.key],
        )
        row = await cursor.fetchone()
        if row is None:
            return None
        if bytes(row[0]) != idempotency.fingerprint:
            raise IdempotencyMismatch(idempotency.scope)
        return Handled(row[1]["ids"], row[1]["position"], replayed=True)

    async def _store_answer(
        self, conn: Connection, idempotency: Idempotency, ids: dict[str, Any], position: int | None, context: Context
    ) -> None:
        stored = orjson.dumps({"ids": ids, "position": position}).decode()
        try:
            await conn.execute(
                "INSERT INTO idempotency (scope, key, fingerprint, answer, created_at) VALUES (%s, %s, %s, %s, %s)",
                [idempotency.scope, idempotency.key, idempotency.fingerprint, stored, context.now],
            )
        except UniqueViolation as violation:
            raise VersionConflict((f"idempotency {idempotency.scope}",)) from violation


def recorded(codec: EventCodec, row: Sequence[Any]) -> Recorded:
    """A stored row (in the order of `COLUMNS`) with its event decoded and upcast."""
    stream, version, name, schema_version, data, key, occurred_at, recorded_at, meta, position, seq = row
    event = codec.decode(name, schema_version, data)
    return Recorded(stream, version, event, name, key, occurred_at, recorded_at, meta, position, seq)


class _Desk:
    """Takes the decisions of one transaction over the loaded streams, each seeing what the earlier ones decided."""

    def __init__(self, codec: EventCodec, history: dict[str, list[Recorded]], asks: Mapping[str, Ask]) -> None:
        self._codec = codec
        self._state = {
            stream: (len(events), asks[stream].stream_type.decider.fold([r.event for r in events]))
            for stream, events in history.items()
        }

    def decide(self, item: Item, context: Context) -> Outcome:
        tentative: dict[str, tuple[int, Any]] = {}
        events: list[Recorded] = []
        try:
            for ask in item.asks:
                version, state = tentative.get(ask.stream) or self._state[ask.stream]
                for event in ask.stream_type.decider.decide(ask.command, state):
                    version, state = version + 1, ask.stream_type.decider.evolve(state, event)
                    events.append(self._record(ask, version, event, item.context or context))
                tentative[ask.stream] = (version, state)
        except DomainError as error:
            return Outcome(error=error)
        self._state.update(tentative)
        return Outcome(tuple(events))

    def _record(self, ask: Ask, version: int, event: Any, context: Context) -> Recorded:
        name = self._codec.types[type(event)][0]
        occurred_at = context.occurred_at or context.now
        key = ask.stream_type.partition_key(ask.stream_id)
        return Recorded(ask.stream, version, event, name, key, occurred_at, context.now, context.meta())


def _transaction(
    conn: Connection, items: Sequence[Item], idempotency: Idempotency | None
) -> contextlib.AbstractAsyncContextManager[object]:
    """A transaction where one is needed: to hold a hot stream's lock, or to write an answer beside the events. Else
    the one INSERT is the transaction, which saves two round trips."""
    if idempotency or any(ask.stream_type.hot for item in items for ask in item.asks):
        return conn.transaction()
    return contextlib.nullcontext()


def _insertion(rows: Sequence[tuple[Any, ...]]) -> tuple[str, Sequence[Any]]:
    """One row goes in plain, which is cheaper; many as arrays."""
    return (_ONE, rows[0]) if len(rows) == 1 else (_MANY, [list(column) for column in zip(*rows, strict=True)])


def _rows(codec: EventCodec, events: Sequence[Recorded]) -> list[tuple[Any, ...]]:
    rows = []
    for event in events:
        name, schema_version, data = codec.encode(event.event)
        meta = orjson.dumps(event.meta).decode()
        rows.append((
            event.stream, event.version, name, schema_version, orjson.dumps(data).decode(), event.partition_key,
            event.occurred_at, event.recorded_at, meta,
        ))  # fmt: skip
    return rows


async def sweep_idempotency(conn: Connection, *, keep_days: int = 7, limit_rows: int = 5000) -> int:
    """Forget answers older than `keep_days`, at most `limit_rows` of them; returns how many went."""
    cursor = await conn.execute(
        """DELETE FROM idempotency WHERE (scope, key) IN (
             SELECT scope, key FROM idempotency
             WHERE created_at < clock_timestamp() - make_interval(days => %s) LIMIT %s)""",
        [keep_days, limit_rows],
    )
    return cursor.rowcount
