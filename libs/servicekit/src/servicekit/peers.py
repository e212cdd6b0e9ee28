"""Calls to other services. All channels are opened here; each call on them has a span and passes it on.

gRPC's channels keep the certificate with which they were opened. So a channel over TLS is opened anew, by the first
call after the files were renewed, and the old one ends with the calls that are on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, cast

import grpc
from opentelemetry.trace import SpanKind, get_current_span

from eventfold import tracing
from eventfold.certificates import Pem, Renewed
from servicekit.addresses import address, own_host
from servicekit.traces import of_call, tell

log = logging.getLogger(__name__)

OLD_CALLS_S = 10.0
"""How long calls may go on over the channel of the certificate before. No call may take longer."""


def peer_channel(target: str, tls: Renewed | None = None, host_name: str | None = None) -> grpc.aio.Channel:
    """A channel to another service, connected by its first call. Calls on it are unary.

    With `tls` it presents that certificate, and takes only a peer whose certificate is signed by its `ca.crt`, for the
    host of `target`, or for `host_name` if it is given. Without, it is plain text.
    """
    if tls is None:
        return grpc.aio.insecure_channel(target, interceptors=[TracedCalls()])  # noqa: TID251 - this is the place
    return cast(grpc.aio.Channel, _RenewedChannel(target, tls, host_name))


def own_channel(port: int, bound: str, tls: Renewed | None = None) -> grpc.aio.Channel:
    """A channel from a server to itself. Over TLS it answers to a name of its own certificate: the address at which it
    listens is none."""
    names = tls.pem.host_names if tls else ()
    return peer_channel(address(own_host(bound), port), tls, names[0] if names else None)


class _RenewedChannel:
    """Stands for a channel over TLS: the part of `grpc.aio.Channel` that stubs and their owners use."""

    def __init__(self, target: str, tls: Renewed, host_name: str | None) -> None:
        self._target = target
        self._tls = tls
        self._options = [("grpc.ssl_target_name_override", host_name)] if host_name else []
        self._pem = tls.pem
        self._channel = self._opened(self._pem)
        self._ending: set[asyncio.Task[None]] = set()

    def unary_unary(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Calls of a method, each over the channel of the certificate that is valid then."""
        made: tuple[grpc.aio.Channel, Any] | None = None

        def call(*request: Any, **how: Any) -> Any:
            nonlocal made
            channel = self._current()
            if made is None or made[0] is not channel:
                made = channel, channel.unary_unary(method, *arguments, **named)
            return made[1](*request, **how)

        return call

    def unary_stream(self, method: str, *_: Any, **__: Any) -> Any:
        """Stubs ask for all methods of their service. No peer is called in streams."""
        return _unary_only(method)

    stream_unary = stream_stream = unary_stream

    async def close(self, grace: float | None = None) -> None:
        """As of a channel; ends those that are still ending too."""
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._channel.close(grace)

    async def __aenter__(self) -> _RenewedChannel:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _current(self) -> grpc.aio.Channel:
        if (pem := self._tls.pem) is not self._pem:
            old, self._channel, self._pem = self._channel, self._opened(pem), pem
            ending = asyncio.create_task(old.close(OLD_CALLS_S))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            log.info("channel opened with the renewed certificate", extra={"target": self._target})
        return self._channel

    def _opened(self, pem: Pem) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(pem.authority, pem.key, pem.certificate)
        return grpc.aio.secure_channel(  # noqa: TID251 - this is the place
            self._target, credentials, options=self._options, interceptors=[TracedCalls()]
        )


def _unary_only(method: str) -> Any:
    def refuse(*_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{method}: calls to other services are unary")

    return refuse


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
