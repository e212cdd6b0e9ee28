"""Streams over a real gRPC channel: begun like calls, bounded, ended without an error, never in the way of a stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import grpc
import pytest
from edging import SECRET, Believing

from eventfold.errors import InvalidInput, NotFound
from lyceum.consistency.v1.consistency_pb2 import ResolveRequest, ResolveResponse
from servicekit.edge import Edge
from servicekit.limits import MemberCeiling
from servicekit.streams import Streams

SERVICE, WAIT_S = "lyceum.test.v1.TestService", 10.0


class Watched:
    """A server with one method that streams: it counts up at once, and then as it is told."""

    def __init__(self, streams: Streams) -> None:
        self.edge = Edge("identity", Believing(), lambda: [SECRET], ceiling=MemberCeiling(1000.0))
        self.edge.streams = streams
        self.refusal: Exception | None = None
        self.failure: Exception | None = None
        self.closed = asyncio.Event()
        self.target = ""

    async def watch(self, request: Any, context: Any) -> AsyncGenerator[ResolveResponse, None]:
        if self.refusal:
            raise self.refusal
        return self._messages()

    async def _messages(self) -> AsyncGenerator[ResolveResponse, None]:
        try:
            yield ResolveResponse(pending=True)
            if self.failure:
                raise self.failure
            await asyncio.Event().wait()
        finally:
            self.closed.set()

    def handlers(self) -> grpc.GenericRpcHandler:
        handler = grpc.unary_stream_rpc_method_handler(
            self.watch, ResolveRequest.FromString, ResolveResponse.SerializeToString
        )
        return grpc.method_handlers_generic_handler(SERVICE, {"Watch": handler})


@contextlib.asynccontextmanager
async def watched(streams: Streams) -> AsyncIterator[tuple[Watched, Any]]:
    one = Watched(streams)
    server = grpc.aio.server(interceptors=[one.edge])
    server.add_generic_rpc_handlers((one.handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        encode, decode = ResolveRequest.SerializeToString, ResolveResponse.FromString
        yield one, channel.unary_stream(f"/{SERVICE}/Watch", encode, decode)
    await server.stop(0)


def begun(stub: Any, member: str = "m1") -> Any:
    return stub(ResolveRequest(), metadata=(("authorization", f"Bearer {member}"),), timeout=WAIT_S)


async def left(one: Watched, count: int) -> None:
    """Return once so many streams are open."""
    async with asyncio.timeout(WAIT_S):
        while True:
            if len(one.edge.streams) == count:
                return
            await asyncio.sleep(0.05)


async def refused(stream: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stream.read()
    return failure.value


async def test_messages_come_as_they_are_sent_and_the_end_of_the_time_is_no_error() -> None:
    async with watched(Streams(stream_s=0.3)) as (one, stub):
        stream = begun(stub)
        assert (await stream.read()).pending
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() is grpc.StatusCode.OK
        await asyncio.wait_for(one.closed.wait(), WAIT_S)
        assert len(one.edge.streams) == 0


async def test_who_has_no_token_gets_no_stream() -> None:
    async with watched(Streams()) as (one, stub):
        failure = await refused(stub(ResolveRequest(), timeout=WAIT_S))
        assert failure.code() is grpc.StatusCode.UNAUTHENTICATED
        assert len(one.edge.streams) == 0


async def test_a_refusal_before_the_first_message_is_that_of_a_call() -> None:
    async with watched(Streams()) as (one, stub):
        one.refusal = InvalidInput("must be 1 to 9", field="count")
        failure = await refused(begun(stub))
        assert (failure.code(), failure.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "must be 1 to 9")
        assert len(one.edge.streams) == 0


@pytest.mark.parametrize(
    ("failure", "code"),
    [(NotFound("gone"), grpc.StatusCode.NOT_FOUND), (TimeoutError("x"), grpc.StatusCode.UNAVAILABLE)],
)
async def test_a_failure_between_messages_ends_the_stream_with_its_status(
    failure: Exception, code: grpc.StatusCode
) -> None:
    async with watched(Streams()) as (one, stub):
        one.failure = failure
        stream = begun(stub)
        await stream.read()
        assert (await refused(stream)).code() is code
        assert len(one.edge.streams) == 0


async def test_a_member_has_few_and_others_have_theirs() -> None:
    async with watched(Streams(max_of_member=2)) as (one, stub):
        two = [begun(stub), begun(stub)]
        for stream in two:
            await stream.read()
        assert (await refused(begun(stub))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        other = begun(stub, "m2")
        assert (await other.read()).pending
        two[0].cancel()
        await left(one, 2)
        assert (await begun(stub).read()).pending


async def test_a_server_has_a_limit_of_all() -> None:
    async with watched(Streams(max_streams=1)) as (_, stub):
        one = begun(stub)
        await one.read()
        assert (await refused(begun(stub, "m2"))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_stop_ends_all_at_once_and_begins_none() -> None:
    async with watched(Streams()) as (one, stub):
        stream = begun(stub)
        await stream.read()
        one.edge.streams.end()
        assert await stream.read() is grpc.aio.EOF
        assert (await refused(begun(stub))).code() is grpc.StatusCode.UNAVAILABLE


async def test_a_client_that_goes_leaves_nothing() -> None:
    async with watched(Streams()) as (one, stub):
        stream = begun(stub)
        await stream.read()
        stream.cancel()
        await asyncio.wait_for(one.closed.wait(), WAIT_S)
        assert len(one.edge.streams) == 0
