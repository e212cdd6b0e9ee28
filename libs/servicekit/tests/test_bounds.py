"""Every wait of a call ends at its caller's deadline, and one caller's waits leave connections for the others."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import grpc
import psycopg
import pytest
from edging import SECRET, serving
from psycopg.errors import LockNotAvailable, QueryCanceled, ReadOnlySqlTransaction
from psycopg_pool import PoolTimeout

from eventfold import Pool
from eventfold.errors import Blocked, DeadlineExceeded, OutcomeUnknown
from eventfold.reading.consistency import Token
from lyceum.consistency.v1 import consistency_pb2, consistency_pb2_grpc
from servicekit import database
from servicekit.call import Call, enter_call
from servicekit.caller import Caller
from servicekit.database import VANISHED_S
from servicekit.draining import InFlight, Overloaded, Stopping
from servicekit.sealed_tokens import sealed
from servicekit.statuses import status_of

SIZE, SHARE = 4, 2
REQUEST = consistency_pb2.ResolveRequest(token=sealed(Token("identity", 1), SECRET))


def enter(member_id: str) -> None:
    """Be called by this member, in this task."""
    context: Any = None
    enter_call(Call("rpc", {}, Caller(member_id, "learner", "s"), datetime.now(UTC), "service", b"k", context))


async def take(pool: Pool, member_id: str, until: asyncio.Event) -> None:
    enter(member_id)
    async with pool.connection(timeout=0.3):
        await until.wait()


async def test_one_caller_takes_half_of_a_pool_and_others_are_served(postgres_url: str) -> None:
    done = asyncio.Event()
    async with database.make_pool(postgres_url, SIZE) as pool:
        taking = [asyncio.create_task(take(pool, "one", done)) for _ in range(SIZE * 2)]
        ended, going = await asyncio.wait(taking, timeout=2, return_when=asyncio.ALL_COMPLETED)
        assert len(going) == SHARE and all(isinstance(task.exception(), PoolTimeout) for task in ended)
        done.set()
        other = asyncio.create_task(take(pool, "two", done))
        await asyncio.gather(*going, other)
        await asyncio.gather(*(take(pool, "one", done) for _ in range(SIZE * 2)))  # all of it came back


async def test_queries_cannot_write_and_no_call_lasts_for_ever(postgres_url: str) -> None:
    async with database.query_pool(postgres_url, 1) as queries, database.command_pool(postgres_url, 1) as commands:
        async with queries.connection() as conn:
            with pytest.raises(ReadOnlySqlTransaction):
                await conn.execute("CREATE TABLE never (a int)")
        async with commands.connection() as conn:
            cursor = await conn.execute("SELECT current_setting('statement_timeout')")
            assert await cursor.fetchone() == ("30s",)


async def left_open(conn: psycopg.AsyncConnection[Any], pid: int) -> bool:
    cursor = await conn.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid])
    return await cursor.fetchone() is not None


async def test_what_a_vanished_client_left_open_ends_in_seconds(postgres_url: str) -> None:
    """A client that stands still inside its transaction looks to the server like one whose machine has gone."""
    async with database.command_pool(postgres_url, 1) as pool, await database.connect(postgres_url) as operator:
        with contextlib.suppress(psycopg.Error):
            async with pool.connection() as conn, conn.transaction():
                pid = conn.info.backend_pid
                async with asyncio.timeout(VANISHED_S + 10):
                    while await left_open(operator, pid):  # noqa: ASYNC110 - the condition is in a database
                        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def stub(resolve: Any) -> AsyncIterator[Any]:
    async with serving(resolve) as target, grpc.aio.insecure_channel(target) as channel:
        yield consistency_pb2_grpc.ConsistencyServiceStub(channel)


async def test_a_query_that_waits_for_a_lock_ends_with_its_caller_and_its_connection_is_free_at_once(
    postgres_url: str,
) -> None:
    async with database.query_pool(postgres_url, 1) as queries, await database.connect(postgres_url) as holder:

        async def resolve(_: Token) -> None:
            async with queries.connection() as conn:
                await conn.execute("SELECT pg_advisory_xact_lock(4711)")

        async with stub(resolve) as one, holder.transaction():
            await holder.execute("SELECT pg_advisory_xact_lock(4711)")
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await one.Resolve(REQUEST, timeout=0.5)
            assert refusal.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            began = time.monotonic()
            async with queries.connection() as conn:
                await conn.execute("SELECT 1")
            assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (DeadlineExceeded("a call"), grpc.StatusCode.DEADLINE_EXCEEDED),
        (QueryCanceled(), grpc.StatusCode.DEADLINE_EXCEEDED),
        (LockNotAvailable(), grpc.StatusCode.ABORTED),
        (Blocked(("s",)), grpc.StatusCode.ABORTED),
        (PoolTimeout(), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (OutcomeUnknown("notifier", "away"), grpc.StatusCode.UNAVAILABLE),
        (TimeoutError(), grpc.StatusCode.UNAVAILABLE),
        (ConnectionResetError(), grpc.StatusCode.UNAVAILABLE),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else one.name,
)
def test_no_wait_ends_as_an_internal_error(failure: Exception, code: grpc.StatusCode) -> None:
    assert status_of(failure)[0] is code


async def test_who_drains_waits_for_what_is_in_flight_ends_the_rest_and_refuses_what_comes() -> None:
    in_flight, go_on = InFlight(), asyncio.Event()

    async def call(waits_for: asyncio.Event) -> None:
        async with in_flight.call(60):
            await waits_for.wait()

    quick, endless = asyncio.create_task(call(go_on)), asyncio.create_task(call(asyncio.Event()))
    await asyncio.sleep(0)
    draining = asyncio.create_task(in_flight.drain(0.3))
    await asyncio.sleep(0)
    with pytest.raises(Stopping) as late:
        await call(go_on)
    assert not late.value.taken
    go_on.set()
    await asyncio.wait_for(draining, 30)
    await quick
    with pytest.raises(Stopping) as ended:
        await endless
    assert ended.value.taken and status_of(ended.value)[0] is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("bounds", [{"max_calls": 2}, {"max_bytes": 25}], ids=str)
async def test_a_server_that_has_its_hands_full_refuses_at_once_what_another_may_take(bounds: dict[str, int]) -> None:
    # Given two calls that wait, which is all that there is room for
    in_flight, go_on = InFlight(**bounds), asyncio.Event()

    async def call(size_bytes: int) -> None:
        async with in_flight.call(60, size_bytes):
            await go_on.wait()

    waiting = [asyncio.create_task(call(10)) for _ in range(2)]
    await asyncio.sleep(0)
    # When a third comes, it is refused; when the others have their answers, it is taken
    with pytest.raises(Overloaded) as refused:
        await call(10)
    assert status_of(refused.value)[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    go_on.set()
    await asyncio.gather(*waiting)
    await asyncio.wait_for(call(10), 30)


async def test_the_bytes_of_a_request_count_until_it_is_answered() -> None:
    # Given a server with room for the bytes of one request, which waits for its answer
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def resolve(token: Token) -> None:
        begun.set()
        await go_on.wait()

    in_flight = InFlight(max_bytes=REQUEST.ByteSize())
    async with serving(resolve, in_flight) as target, grpc.aio.insecure_channel(target) as channel:
        stub = consistency_pb2_grpc.ConsistencyServiceStub(channel)
        first = stub.Resolve(REQUEST, timeout=20)
        await asyncio.wait_for(begun.wait(), 20)
        # When another comes, it is told that it may ask another server
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Resolve(REQUEST, timeout=20)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(refused.value.trailing_metadata() or ())["x-lyceum-not-taken"] == "true"
        go_on.set()
        assert (await first).pending
