"""The edge over a real gRPC channel: spans, statuses, and what of a call reaches the events' context."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from edging import SECRET, serving
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import rpc_attributes as names
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import REGISTRY
from spanning import CAUSE, exported, written

from eventfold.errors import NotFound, NotPermitted, PeerUnavailable, Unauthenticated, WrongState
from eventfold.publish.outgoing import Target
from eventfold.reading.consistency import Token
from lyceum.consistency.v1 import consistency_pb2, consistency_pb2_grpc
from servicekit.call import current_call
from servicekit.caller import TokenVerifier
from servicekit.sealed_tokens import sealed
from servicekit.security import CLIENT_HEX

METHOD = "/lyceum.consistency.v1.ConsistencyService/Resolve"
REQUEST = consistency_pb2.ResolveRequest(token=sealed(Token("identity", 1), SECRET))


class Forged(WrongState):
    code = "FORGED_QUOTE"


@dataclass
class Served:
    """A server whose one method fails as it is told, and keeps what a command would have recorded as its trace."""

    stub: Any = None
    failure: Exception | None = None
    recorded: str | None = None

    async def resolve(self, token: Token) -> tuple[Target, ...] | None:
        self.recorded = current_call().context().traceparent
        if self.failure:
            raise self.failure
        return None

    async def ask(self, **metadata: str) -> None:
        await self.stub.Resolve(REQUEST, metadata=tuple(metadata.items()), timeout=5)

    async def refused(self, failure: Exception) -> grpc.StatusCode:
        self.failure = failure
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await self.ask()
        return refusal.value.code()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    one = Served()
    async with serving(one.resolve) as target, grpc.aio.insecure_channel(target) as channel:
        one.stub = consistency_pb2_grpc.ConsistencyServiceStub(channel)
        yield one


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    with exported() as exporter:
        yield exporter


async def test_the_span_says_which_route_the_gateway_took(served: Served, spans: InMemorySpanExporter) -> None:
    await served.ask(**{"x-lyceum-route": "POST /v1/orders/{order_id}/payments"})
    [span] = spans.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["http.request.method"] == "POST"
    assert span.attributes["http.route"] == "/v1/orders/{order_id}/payments"


async def test_a_call_continues_its_callers_trace_and_its_span_goes_into_the_context(
    served: Served, spans: InMemorySpanExporter
) -> None:
    await served.ask(traceparent=CAUSE)
    [span] = spans.get_finished_spans()
    assert (span.name, span.kind) == (METHOD[1:], SpanKind.SERVER)
    assert span.attributes is not None and "http.route" not in span.attributes
    assert span.parent is not None and f"{span.parent.span_id:016x}" == CAUSE[36:52]
    assert served.recorded == written(span) and served.recorded[:35] == CAUSE[:35]
    assert dict(span.attributes or {}) == {
        names.RPC_SYSTEM_NAME: "grpc",
        names.RPC_METHOD: METHOD[1:],
        names.RPC_RESPONSE_STATUS_CODE: "OK",
    }


@pytest.mark.parametrize("given", [{}, {"traceparent": "malformed"}, {"traceparent": "00-" + "0" * 52}], ids=str)
async def test_without_a_callers_trace_the_call_begins_one(
    served: Served, spans: InMemorySpanExporter, given: dict[str, str]
) -> None:
    await served.ask(**given)
    [span] = spans.get_finished_spans()
    assert span.parent is None and served.recorded == written(span)


async def test_without_a_collector_the_callers_trace_still_reaches_the_events(served: Served) -> None:
    await served.ask(traceparent=CAUSE)
    assert served.recorded == CAUSE
    for given in ({}, {"traceparent": "malformed"}, {"traceparent": CAUSE + "x" * 1000}):
        await served.ask(**given)
        assert served.recorded is None


async def test_a_refusal_is_no_error_and_a_fault_is_one_that_tells_only_its_status(
    served: Served, spans: InMemorySpanExporter
) -> None:
    assert await served.refused(NotFound("no personal text")) is grpc.StatusCode.NOT_FOUND
    assert await served.refused(RuntimeError("no personal text")) is grpc.StatusCode.INTERNAL
    refusal, fault = spans.get_finished_spans()
    assert refusal.status.status_code is StatusCode.UNSET and "error.type" not in (refusal.attributes or {})
    assert fault.status.status_code is StatusCode.ERROR and (fault.attributes or {})["error.type"] == "INTERNAL"
    assert not [span for span in (refusal, fault) if "personal" in span.to_json()]


def calls(status: str) -> float:
    return REGISTRY.get_sample_value("lyceum_call_seconds_count", {"method": METHOD, "status": status}) or 0.0


async def test_every_call_is_counted_under_its_status(served: Served) -> None:
    before = calls("OK"), calls("INTERNAL")
    await served.ask()
    await served.refused(RuntimeError())
    assert (calls("OK"), calls("INTERNAL")) == (before[0] + 1, before[1] + 1)


async def test_who_calls_too_often_is_refused_and_told_when_to_come_again() -> None:
    async def resolve(_: Token) -> tuple[Target, ...] | None:
        return None

    async with serving(resolve, calls_per_s=0.3) as target, grpc.aio.insecure_channel(target) as channel:
        stub: Any = consistency_pb2_grpc.ConsistencyServiceStub(channel)
        await stub.Resolve(REQUEST, metadata=(("authorization", "Bearer flood"),), timeout=5)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Resolve(REQUEST, metadata=(("authorization", "Bearer flood"),), timeout=5)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(refused.value.initial_metadata())["retry-after"] == "2"
        for other in ((("authorization", "Bearer calm"),), ()):
            await stub.Resolve(REQUEST, metadata=other, timeout=5)


UNKNOWN = (
    consistency_pb2.ResolveRequest(token=sealed(Token("identity", 1), SECRET)).SerializeToString() + b"\x9a\x06\x01a"
)


async def test_a_server_that_cannot_verify_a_token_yet_says_that_another_may_be_asked() -> None:
    """Given one started while identity was away, it has no keys; who brings no token is served all the same."""

    async def away() -> Any:
        raise PeerUnavailable("identity", "UNAVAILABLE")

    async def resolve(token: Token) -> None:
        return None

    verifier = TokenVerifier(away, "issuer", "audience")
    async with serving(resolve, verifier=verifier) as target, grpc.aio.insecure_channel(target) as channel:
        stub: Any = consistency_pb2_grpc.ConsistencyServiceStub(channel)
        for _ in range(2):  # the second fails without another fetch
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Resolve(REQUEST, metadata=(("authorization", "Bearer t"),), timeout=5)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            assert dict(refused.value.trailing_metadata() or ())["x-lyceum-not-taken"] == "true"
        assert (await stub.Resolve(REQUEST, timeout=5)).pending


@pytest.mark.parametrize(
    "raw", [UNKNOWN, b"\xff", b"\x0a\x02\xc3\x28"], ids=["unknown field", "no message", "no UTF-8"]
)
async def test_bytes_that_are_no_request_of_the_method_are_refused_as_the_callers_fault(
    served: Served, raw: bytes
) -> None:
    async with serving(served.resolve) as target, grpc.aio.insecure_channel(target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            call: Any = channel.unary_unary(METHOD)
            await call(raw, timeout=5)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert served.recorded is None


@pytest.mark.parametrize("failure", [NotPermitted("no"), Unauthenticated("no"), Forged("no")], ids=repr)
async def test_each_refusal_of_a_caller_leaves_one_line_that_names_nobody(
    served: Served, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    served.failure = failure
    clients = ("2001:db8::7", "2001:db8::8", "2001:db8:0:1::7")
    for client in clients:
        with pytest.raises(grpc.aio.AioRpcError):
            await served.ask(**{"x-lyceum-client": client, "authorization": "Bearer m1"})
    lines = [record.__dict__ for record in caplog.records if record.name == "security"]
    assert [(one["method"], one["member_id"]) for one in lines] == [(METHOD, "m1")] * 3
    assert lines[0]["client"] == lines[1]["client"] != lines[2]["client"]
    said = hmac.digest(SECRET, b"client|2001:db8::/64", hashlib.sha256).hex()
    assert lines[0]["client"] == said[:CLIENT_HEX]
    assert not any("2001:db8" in str(one) for one in lines)


async def test_a_refusal_for_what_was_asked_is_nothing_for_the_security_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    await served.refused(NotFound("nothing"))
    assert not [record for record in caplog.records if record.name == "security"]
