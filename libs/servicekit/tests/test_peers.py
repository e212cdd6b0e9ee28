"""Calls from a service to another over a real gRPC channel: one trace, whatever comes of the call."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from edging import SECRET, serving
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import rpc_attributes as names
from opentelemetry.trace import SpanKind, StatusCode
from spanning import CAUSE, cause, exported, told, written

from eventfold import tracing
from eventfold.errors import Contention, InvalidInput, NotFound, Unauthenticated
from eventfold.publish.outgoing import Target
from eventfold.reading.consistency import Token
from lyceum.consistency.v1 import consistency_pb2, consistency_pb2_grpc
from servicekit.call import current_call
from servicekit.peers import TracedCalls, peer_channel
from servicekit.sealed_tokens import sealed
from servicekit.server import remote_resolver

METHOD = "lyceum.consistency.v1.ConsistencyService/Resolve"
TOKEN = Token("identity", 0, text=sealed(Token("identity", 1), SECRET))
REQUEST = consistency_pb2.ResolveRequest(token=TOKEN.text)
FOUND = (Target("topic", 0, 7),)


@dataclass
class Peer:
    """Another service, behind the edge that all have. Fails or keeps its caller waiting as it is told."""

    target: str = ""
    failure: Exception | None = None
    keeps_waiting: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    metadata: Mapping[str, str] = field(default_factory=dict)

    async def resolve(self, token: Token) -> tuple[Target, ...]:
        self.metadata = current_call().metadata
        self.asked.set()
        if self.failure:
            raise self.failure
        if self.keeps_waiting:
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        return FOUND


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    one = Peer()
    async with serving(one.resolve) as one.target:
        yield one


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    with exported() as exporter:
        yield exporter


def of(spans: InMemorySpanExporter, kind: SpanKind) -> ReadableSpan:
    [found] = [span for span in spans.get_finished_spans() if span.kind is kind]
    return found


def parent(span: ReadableSpan) -> trace.SpanContext:
    assert span.parent is not None
    return span.parent


async def test_a_call_that_makes_another_and_what_the_other_does_are_one_trace(
    peer: Peer, spans: InMemorySpanExporter
) -> None:
    """Given a call being served, when it asks another service, then serving, asking and answering are one line."""
    resolve = remote_resolver(peer_channel(peer.target))
    with tracing.span("read", SpanKind.INTERNAL, {}, parent=CAUSE) as serving:
        assert await resolve(TOKEN) == FOUND
    asking, answering = of(spans, SpanKind.CLIENT), of(spans, SpanKind.SERVER)
    assert parent(asking) == serving.get_span_context() and not parent(asking).is_remote
    assert written(asking)[3:35] == CAUSE[3:35] and peer.metadata["traceparent"] == written(asking)
    assert f"{parent(answering).span_id:016x}" == written(asking)[36:52] and parent(answering).is_remote
    assert asking.name == METHOD and asking.status.status_code is StatusCode.UNSET
    assert told(asking) == {
        names.RPC_SYSTEM_NAME: "grpc",
        names.RPC_METHOD: METHOD,
        names.RPC_RESPONSE_STATUS_CODE: "OK",
    }


async def test_a_call_outside_of_any_span_begins_a_trace(peer: Peer, spans: InMemorySpanExporter) -> None:
    assert await remote_resolver(peer_channel(peer.target))(TOKEN) == FOUND
    asking = of(spans, SpanKind.CLIENT)
    assert asking.parent is None and peer.metadata["traceparent"] == written(asking)


async def test_other_metadata_arrives_and_only_the_spans_own_traceparent(
    peer: Peer, spans: InMemorySpanExporter
) -> None:
    given = grpc.aio.Metadata(("x-request-id", "r1"), ("traceparent", CAUSE))
    async with peer_channel(peer.target) as channel:
        await _ask(channel, given)
    assert peer.metadata["x-request-id"] == "r1"
    assert peer.metadata["traceparent"] == written(of(spans, SpanKind.CLIENT))
    assert list(given) == [("x-request-id", "r1"), ("traceparent", CAUSE)], "the caller's own is left as it was"


@pytest.mark.parametrize(
    ("failure", "status"),
    [(InvalidInput("personal text"), "INVALID_ARGUMENT"), (RuntimeError("personal text"), "INTERNAL")],
)
async def test_what_the_other_refuses_is_raised_and_told_by_its_status_alone(
    peer: Peer, spans: InMemorySpanExporter, failure: Exception, status: str
) -> None:
    peer.failure = failure
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await remote_resolver(peer_channel(peer.target))(TOKEN)
    assert refusal.value.code().name == status
    asking = of(spans, SpanKind.CLIENT)
    assert asking.status.status_code is StatusCode.ERROR and not asking.status.description
    assert told(asking)["error.type"] == told(asking)[names.RPC_RESPONSE_STATUS_CODE] == status
    assert not asking.events and "personal" not in asking.to_json()


async def test_a_peer_that_is_away_is_an_error_too(unused_tcp_port: int, spans: InMemorySpanExporter) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await remote_resolver(peer_channel(f"127.0.0.1:{unused_tcp_port}"))(TOKEN)
    assert told(of(spans, SpanKind.CLIENT))["error.type"] == "UNAVAILABLE"


async def test_who_is_cancelled_while_asking_leaves_the_other_and_ends_the_span(
    peer: Peer, spans: InMemorySpanExporter
) -> None:
    peer.keeps_waiting = True
    async with peer_channel(peer.target) as channel:
        asking = asyncio.create_task(_ask(channel))
        await asyncio.wait_for(peer.asked.wait(), 30)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(peer.left.wait(), 30)
    assert told(of(spans, SpanKind.CLIENT))["error.type"] == "CancelledError"


async def test_concurrent_calls_keep_to_the_spans_of_their_tasks(peer: Peer, spans: InMemorySpanExporter) -> None:
    resolve = remote_resolver(peer_channel(peer.target))

    async def serve(number: int) -> None:
        with tracing.span("read", SpanKind.INTERNAL, {}, parent=cause(number)):
            await resolve(TOKEN)

    await asyncio.gather(*(serve(number) for number in range(1, 11)))
    for kind in (SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.SERVER):
        found = [span for span in spans.get_finished_spans() if span.kind is kind]
        assert sorted(written(span)[3:35] for span in found) == [f"{number:032x}" for number in range(1, 11)]


async def test_where_no_spans_are_recorded_nothing_is_added(peer: Peer) -> None:
    assert await remote_resolver(peer_channel(peer.target))(TOKEN) == FOUND
    assert "traceparent" not in peer.metadata


async def test_where_no_spans_are_recorded_a_call_passes_untouched() -> None:
    async def continuation(*given: Any) -> tuple[Any, ...]:
        return given

    given = object(), object()
    assert await TracedCalls().intercept_unary_unary(continuation, *given) == given


async def _ask(channel: grpc.aio.Channel, metadata: grpc.aio.Metadata | None = None) -> None:
    stub: Any = consistency_pb2_grpc.ConsistencyServiceStub(channel)
    await stub.Resolve(REQUEST, metadata=metadata, timeout=30)


async def refused_through(peer: Peer, failure: Exception) -> grpc.aio.AioRpcError:
    """What a client of another service sees, which asks `peer` on its way."""
    peer.failure = failure
    ask_peer = remote_resolver(peer_channel(peer.target))
    async with serving(lambda _: ask_peer(TOKEN)) as between, peer_channel(between) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await _ask(channel)
    return refusal.value


@pytest.mark.parametrize(
    ("failure", "code", "reason"),
    [
        (InvalidInput("not a token", field="x-lyceum-after"), "INVALID_ARGUMENT", "INVALID_INPUT"),
        (NotFound("nothing there"), "NOT_FOUND", "NOT_FOUND"),
        (Contention(("s",), 1), "ABORTED", "CONTENTION"),
    ],
)
async def test_what_a_peer_refuses_in_the_callers_input_keeps_its_code_and_details(
    peer: Peer, failure: Exception, code: str, reason: str
) -> None:
    refusal = await refused_through(peer, failure)
    assert refusal.code().name == code
    details = dict(refusal.trailing_metadata() or ())["grpc-status-details-bin"]
    info = ErrorInfo()
    assert Status.FromString(bytes(details)).details[0].Unpack(info) and info.reason == reason


@pytest.mark.parametrize("failure", [RuntimeError("secret"), Unauthenticated("who are you")], ids=["fails", "shut out"])
async def test_what_is_between_two_services_is_not_the_callers_fault(peer: Peer, failure: Exception) -> None:
    refusal = await refused_through(peer, failure)
    assert refusal.code() is grpc.StatusCode.UNAVAILABLE and "secret" not in str(refusal.details())
