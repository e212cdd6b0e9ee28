"""Append commits per second: the store's whole command path against bare transactions that write the same rows."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg_pool import AsyncConnectionPool

from bench.workload import TYPE
from contracts.avro import AvroCodec
from eventfold import Ask, Context, Decider, EventCodec, EventStore, Item, Pool, PublicEvent, Recorded, StreamType
from eventfold.publish.publisher import Publisher
from eventfold.write.rows import ONE
from servicekit import database

SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Viewed:
    """The appended event."""

    member_id: str
    content_id: str
    watched_ms: int


def _decide(command: Viewed, state: int) -> Sequence[Viewed]:
    return [command]


PUBLIC_VALUE = bytes(100)
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
STREAM = StreamType("view", Decider(0, _decide, lambda state, _: state + 1))

HOT = StreamType("hotview", Decider(0, _decide, lambda state, _: state + 1), hot=True)


CODEC = EventCodec({Viewed: ("viewed", 1)})


def to_public(recorded: Recorded) -> PublicEvent:
    """The view as catalog publishes it."""
    event: Viewed = recorded.event
    return PublicEvent(
        TYPE,
        {
            "member_id": event.member_id,
            "content_id": event.content_id,
            "watched_ms": event.watched_ms,
            "occurred_at": recorded.occurred_at,
        },
    )


def make_store(pool: Pool) -> EventStore:
    """A store that encodes the recorded events, like every service's store; the bare rows hold prepared bytes."""
    return EventStore(pool, CODEC, Publisher("/lyceum/catalog", to_public, AvroCodec()), random.Random(1))


async def commits_per_s(url: str, writers: int) -> dict[str, float]:
    """BEGIN, INSERT, COMMIT; a single INSERT; eventfold: one after another, in this process, with `writers` connections
    each."""
    found = {}
    async with AsyncConnectionPool(url, min_size=writers, max_size=writers, open=False) as pool:
        found["transaction"] = await _rate(writers, lambda: _bare(pool))
    async with database.make_pool(url, writers) as pool:
        found["insert"] = await _rate(writers, lambda: _bare(pool))
        store = make_store(pool)
        found["eventfold"] = await _rate(writers, lambda: _handle(store))
    return found


async def hot_commits_per_s(url: str, writers: int) -> dict[str, float]:
    """All writers on one stream: first lock, next version, INSERT, COMMIT; then eventfold's hot stream."""
    found = {}
    async with AsyncConnectionPool(url, min_size=writers, max_size=writers, open=False) as pool:
        found["transaction"] = await _rate(writers, lambda: _bare_hot(pool))
    async with database.make_pool(url, writers) as pool:
        store = make_store(pool)
        found["eventfold"] = await _rate(writers, lambda: _handle(store, HOT, "one"))
    return found


async def _rate(writers: int, once: Callable[[], Awaitable[object]]) -> float:
    done = 0
    until = time.perf_counter() + SECONDS

    async def write() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await once()
            done += 1

    await asyncio.gather(*(write() for _ in range(writers)))
    return done / SECONDS


async def _handle(store: EventStore, kind: StreamType[Any, Any, Any] = STREAM, stream_id: str | None = None) -> None:
    new, stream_id = stream_id is None, stream_id or str(uuid.uuid4())
    context = Context(datetime.now(UTC), "bench", stream_id)
    await store.handle(Item((Ask(kind, stream_id, Viewed(stream_id, "content", 1000), new=new),)), context)


def _row(stream: str, version: int) -> list[Any]:
    now = datetime.now(UTC)
    data = f'{{"member_id":"{stream}","content_id":"content","watched_ms":1000}}'
    meta = f'{{"actor":"bench","correlation_id":"{stream}"}}'
    return [stream, version, "viewed", 1, data, stream, now, now, meta, PUBLIC_VALUE]


async def _bare(pool: Pool) -> None:
    async with pool.connection() as conn:
        await (await conn.execute(ONE, _row(f"view-{uuid.uuid4()}", 1))).fetchone()


async def _bare_hot(pool: Pool) -> None:
    async with pool.connection() as conn:
        await conn.execute(LOCK, ["hotview-bare"])
        newest = await conn.execute("SELECT coalesce(max(version), 0) FROM events WHERE stream = 'hotview-bare'")
        row = await newest.fetchone()
        await (await conn.execute(ONE, _row("hotview-bare", row[0] + 1 if row else 1))).fetchone()
