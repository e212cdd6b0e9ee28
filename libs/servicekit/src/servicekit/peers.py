"""Calls to other services. All channels are opened here; each call on them has a span and passes it on."""

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
    """Puts a client span around each call, as a part of the current task's span, and sends it as `traceparent`.

    For the caller every status except OK is an error; the span holds only its name. If no spans are recorded, calls
    pass through unchanged.
    """

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """The call. If it was traced, it has ended, and still holds its answer or its failure."""
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
