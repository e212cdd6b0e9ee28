"""Calls to other services: the one way to open a channel, on which each call has a span and hands it on."""

from __future__ import annotations

import contextlib
from typing import Any

import grpc
from opentelemetry.trace import SpanKind, get_current_span

from eventfold import tracing
from servicekit.traces import of_call, tell


def peer_channel(target: str) -> grpc.aio.Channel:
    """A channel to another service, connected by its first call. Calls on it are unary."""
    return grpc.aio.insecure_channel(target, interceptors=[TracedCalls()])  # noqa: TID251 - this is the place


class TracedCalls(grpc.aio.UnaryUnaryClientInterceptor):
    """Puts a client's span around each call, a part of what its task is at, and sends it as `traceparent`.

    Every status but OK is an error to who asked, told by its name alone. Where no spans are recorded, calls pass
    untouched.
    """

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """The call, ended when it was traced: its answer or its failure is still in it."""
        if not tracing.recording():
            return await continuation(client_call_details, request)
        name, attributes = of_call(client_call_details.method.decode())
        with tracing.span(name, SpanKind.CLIENT, attributes, parent=get_current_span()) as span:
            call = await continuation(_carrying_the_trace(client_call_details), request)
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call
            tell(span, code := await call.code(), is_error=code is not grpc.StatusCode.OK)
        return call


def _carrying_the_trace(details: Any) -> Any:
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    if traceparent := tracing.current():
        metadata["traceparent"] = traceparent
    return details._replace(metadata=metadata)
