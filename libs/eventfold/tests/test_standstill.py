"""An open transaction keeps the writers of a stream waiting: they end at their deadlines, and others are served."""

from __future__ import annotations

import asyncio
import time

import pytest
from house import House, context
from relaying import eventually
from shelf import HOT_SHELF, SHELF, add

from eventfold import Connection, Idempotency, StreamType
from eventfold.errors import Contention, DeadlineExceeded, EventfoldError
from eventfold.write.hot import HotQueue
from eventfold.write.rows import LOAD_IN_TURN

CALLERS, STREAMS, DEADLINE_S, SOON_S = 20, 12, 2.0, 1.5
ENDED = (Contention, DeadlineExceeded)
Outcome = tuple[type[EventfoldError] | None, float]


async def hold(conn: Connection, stream: str, *, hot: bool = False) -> None:
    """Take the stream's next version, or its turn, and keep the transaction open."""
    if hot:
        await conn.execute(LOAD_IN_TURN, [[stream], [], [], 0])
        return
    await conn.execute(
        """INSERT INTO events
           (stream, version, type, schema_version, data, partition_key, occurred_at, recorded_at, meta)
           VALUES (%s, 1, 'book.added', 1, '{"title": "held"}', 'k', now(), now(), '{}')""",
        [stream],
    )


async def outcome(house: House, shelf: str, title: str, kind: StreamType = SHELF, key: str | None = None) -> Outcome:  # type: ignore[type-arg]
    """What the caller gets, and after how many seconds."""
    began = time.monotonic()
    idempotency = Idempotency("caller", key, b"f") if key else None
    try:
        await house.store.handle(add(shelf, title, kind), context(), idempotency=idempotency, deadline_s=DEADLINE_S)
    except EventfoldError as failure:
        return type(failure), time.monotonic() - began
    return None, time.monotonic() - began


@pytest.mark.parametrize("kind", [SHELF, HOT_SHELF], ids=["plain", "hot"])
async def test_while_one_stream_is_held_its_callers_end_in_time_and_others_are_served(
    house: House,
    kind: StreamType,  # type: ignore[type-arg]
) -> None:
    async with await house.connect() as holder, holder.transaction(force_rollback=True):
        await hold(holder, f"{kind.name}-held", hot=kind.hot)
        waiting = [asyncio.create_task(outcome(house, "held", f"t{n}", kind)) for n in range(CALLERS)]
        for n in range(5):
            error, took_s = await outcome(house, "free", f"t{n}")
            assert error is None and took_s < SOON_S
        for error, took_s in await asyncio.gather(*waiting):
            assert error in ENDED and took_s < DEADLINE_S + 0.5


async def test_many_held_streams_leave_the_rest_served(house: House) -> None:
    async with await house.connect() as holder, holder.transaction(force_rollback=True):
        for n in range(STREAMS):
            await hold(holder, f"shelf-held{n}")
        waiting = [asyncio.create_task(outcome(house, f"held{n}", f"t{m}")) for n in range(STREAMS) for m in range(4)]
        for n in range(5):
            error, took_s = await outcome(house, "free", f"t{n}")
            assert error is None and took_s < SOON_S
        assert all(error in ENDED for error, _ in await asyncio.gather(*waiting))


async def test_callers_of_one_key_wait_as_those_of_one_stream_do(house: House) -> None:
    async with await house.connect() as holder, holder.transaction(force_rollback=True):
        await holder.execute(
            """INSERT INTO idempotency (scope, key, fingerprint, answer, created_at)
               VALUES ('caller', 'k', 'f', '{}', now())"""
        )
        waiting = [asyncio.create_task(outcome(house, f"s{n}", "t", key="k")) for n in range(CALLERS)]
        error, took_s = await outcome(house, "free", "t")
        assert error is None and took_s < SOON_S
        assert all(error in ENDED for error, _ in await asyncio.gather(*waiting))


@pytest.mark.parametrize("kind", [SHELF, HOT_SHELF], ids=["plain", "hot"])
async def test_who_waits_goes_on_once_the_transaction_ends(house: House, kind: StreamType) -> None:  # type: ignore[type-arg]
    async with await house.connect() as holder:
        async with holder.transaction(force_rollback=True):
            await hold(holder, f"{kind.name}-held", hot=kind.hot)
            waiting = [asyncio.create_task(outcome(house, "held", f"t{n}", kind)) for n in range(CALLERS)]
            await eventually(lambda: _waits(house))
        assert [error for error, _ in await asyncio.gather(*waiting)] == [None] * CALLERS
    assert await house.rows("SELECT count(*), max(version) FROM events") == [(CALLERS, CALLERS)]


async def _waits(house: House) -> bool:
    return bool(await house.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


async def test_a_connection_whose_caller_gave_up_serves_the_next_at_once(house: House) -> None:
    async with await house.connect() as holder, holder.transaction(force_rollback=True):
        await hold(holder, "shelf-held")
        given_up = [asyncio.create_task(outcome(house, "held", f"t{n}")) for n in range(CALLERS)]
        await eventually(lambda: _waits(house))
        for task in given_up:
            task.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)
        error, took_s = await outcome(house, "free", "t")
        assert error is None and took_s < SOON_S


async def test_a_caller_in_a_hot_queue_leaves_it_at_its_deadline() -> None:
    deciding, never = asyncio.Event(), asyncio.Event()

    async def decide(_: object) -> list[str]:
        deciding.set()
        await never.wait()
        return []

    queue: HotQueue[str, str] = HotQueue(decide)
    async with asyncio.timeout(30):
        first = asyncio.create_task(queue.ask("one", "decided", time.monotonic() + 0.2))
        await asyncio.wait_for(deciding.wait(), 20)
        with pytest.raises(Contention):
            await queue.ask("one", "waits", time.monotonic() + 0.1)
        with pytest.raises(DeadlineExceeded):
            await first
