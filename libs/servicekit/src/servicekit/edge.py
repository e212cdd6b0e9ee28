"""The gRPC edge: every call gets its `Call` and its span, every failure becomes a status, and every call is counted."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from opentelemetry.trace import Span, SpanKind
from prometheus_client import Counter, Histogram
from psycopg_pool import PoolTimeout, TooManyRequests

from eventfold import tracing
from eventfold.errors import Unauthenticated
from servicekit import answers, security, validate
from servicekit.call import Call, current_call, deadline_s, enter_call, present_call
from servicekit.caller import Caller, KeysUnavailable, TokenVerifier
from servicekit.draining import InFlight, Overloaded, Stopping
from servicekit.limits import MemberCeiling, TooManyCalls
from servicekit.statuses import status_of
from servicekit.streams import Streams
from servicekit.traces import of_call, tell

log = logging.getLogger(__name__)

CALL_SECONDS = Histogram("lyceum_call_seconds", "Served gRPC calls by method and status.", ["method", "status"])
OVERLOADS = Counter(
    "lyceum_overloaded_total",
    "Calls that were refused because there were more than this server, or its connections to the database, can take; "
    "growing: it needs others beside it, or somebody asks too much.",
)
TOO_MUCH = (Overloaded, PoolTimeout, TooManyRequests)
BEARER = "bearer "
FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
NOT_TAKEN = "x-lyceum-not-taken"
"""Set when a server refuses because it is being stopped, is overloaded, or cannot verify tokens yet: another may
be asked, whatever the call does."""
UNGUARDED = ("/grpc.health.", "/grpc.reflection.")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The outcome of a call: an answer, a status, or the servicer's own abort. `taken` is False if the call was not
    begun."""

    code: grpc.StatusCode
    answer: Any = None
    status: Status | None = None
    aborted: grpc.aio.AbortError | None = None
    taken: bool = True
    begun: bool = False
    """Whether something was sent already."""


class Edge(grpc.aio.ServerInterceptor):
    """Wraps every method of the services. Each call ends at its caller's deadline. Methods that answer with a stream
    return a generator of its messages, and need a caller.

    `idempotency_secrets` returns the current fingerprint key, and then others that are accepted. `clock` returns the
    time of each call, `history` the mark of the store's history. `wake_relay` wakes the relay of this process, if there
    is one. `in_flight` holds the calls being served, `streams` what is sent bit by bit.
    """

    def __init__(
        self,
        service: str,
        verifier: TokenVerifier,
        idempotency_secrets: Callable[[], Sequence[bytes]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        history: Callable[[], str] = str,
        wake_relay: Callable[[], None] = lambda: None,
        *,
        ceiling: MemberCeiling,
    ) -> None:
        self.in_flight = InFlight()
        self.streams = Streams()
        self._ceiling = ceiling
        self._service = service
        self._verifier = verifier
        self._secrets = idempotency_secrets
        self._clock = clock
        self._history = history
        self._wake_relay = wake_relay

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Guard every method that takes one request, except health and reflection."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or handler.request_streaming or method.startswith(UNGUARDED):
            return handler
        coders = (validate.reading(handler.request_deserializer), handler.response_serializer)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._streamed(method, handler.unary_stream), *coders)
        return grpc.unary_unary_rpc_method_handler(self._served(method, handler.unary_unary), *coders)

    def _served(self, method: str, behave: Any) -> Any:
        async def served(request: Any, context: Any) -> Any:
            started = time.perf_counter()
            code = grpc.StatusCode.CANCELLED
            metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
            try:
                with _span(method, metadata) as span:
                    outcome = await self._outcome(method, metadata, behave, request, context)
                    code = outcome.code
                    # A refusal is a normal answer. Only a fault of the server counts as an error.
                    tell(span, code, is_error=code in FAULTS)
            finally:
                CALL_SECONDS.labels(method, code.name).observe(time.perf_counter() - started)
            return await _answer(outcome, context)

        return served

    def _streamed(self, method: str, behave: Any) -> Any:
        """Of a stream, what leads to its first message is a call like others; the rest is neither timed nor traced."""

        async def streamed(request: Any, context: Any) -> None:
            with contextlib.ExitStack() as place:
                messages = await self._served(method, self._placed(place, behave))(request, context)
                async with self.streams.bounded():
                    await _sent(method, messages, context)

        return streamed

    def _placed(self, place: contextlib.ExitStack, behave: Any) -> Any:
        async def placed(request: Any, context: Any) -> AsyncGenerator[Message, None]:
            place.enter_context(self.streams.place(current_call().require_caller().member_id))
            messages: AsyncGenerator[Message, None] = await behave(request, context)
            return messages

        return placed

    async def _outcome(
        self, method: str, metadata: Mapping[str, str], behave: Any, request: Any, context: Any
    ) -> _Outcome:
        try:
            async with self.in_flight.call(deadline_s(context), validate.size_bytes(request)):
                await self._enter(method, metadata, context)
                self._count(current_call())
                validate.request(request)
                answer = await behave(request, context)
                if isinstance(answer, Message):
                    answers.check(answer)
                return _Outcome(grpc.StatusCode.OK, answer=answer)
        except grpc.aio.AbortError as aborted:
            return _Outcome(context.code() or grpc.StatusCode.UNKNOWN, aborted=aborted)
        except Exception as failure:  # noqa: BLE001 - this is where failures become statuses
            code, status = status_of(failure)
            _log_unexpected(method, code, failure)
            if isinstance(failure, TOO_MUCH):
                OVERLOADS.inc()
            security.log_refusal(method, code, failure, self._secrets()[0])
            return _Outcome(code, status=status, taken=_taken(failure))

    def _count(self, call: Call) -> None:
        """Raises `TooManyCalls`, and says when to ask again."""
        if call.caller is None:
            return
        try:
            self._ceiling.take(call.caller.member_id)
        except TooManyCalls as refusal:
            call.headers.append(("retry-after", str(refusal.retry_after_s)))
            raise

    async def _enter(self, method: str, metadata: Mapping[str, str], context: Any) -> None:
        caller = await self._caller(metadata.get("authorization"))
        secret, *others = self._secrets()
        enter_call(
            Call(
                rpc=method,
                metadata=metadata,
                caller=caller,
                now=self._clock(),
                service=self._service,
                idempotency_secret=secret,
                servicer_context=context,
                other_secrets=tuple(others),
                history=self._history(),
                wake_relay=self._wake_relay,
            )
        )

    async def _caller(self, authorization: str | None) -> Caller | None:
        if authorization is None:
            return None
        if not authorization.lower().startswith(BEARER):
            raise Unauthenticated("the authorization header must carry a bearer token", field="authorization")
        return await self._verifier.verify(authorization[len(BEARER) :].strip())


def _taken(failure: Exception) -> bool:
    return failure.taken if isinstance(failure, Stopping) else not isinstance(failure, (Overloaded, KeysUnavailable))


async def _answer(outcome: _Outcome, context: Any) -> Any:
    if outcome.aborted:
        raise outcome.aborted
    if (call := present_call()) and call.headers and not outcome.begun:
        await context.send_initial_metadata(tuple(call.headers))
    if outcome.status is not None:
        details = ("grpc-status-details-bin", outcome.status.SerializeToString())
        context.set_trailing_metadata((details,) if outcome.taken else (details, (NOT_TAKEN, "true")))
        await context.abort(outcome.code, outcome.status.message)
    return outcome.answer


async def _sent(method: str, messages: AsyncGenerator[Message, None], context: Any) -> None:
    """Send the messages of a stream as they come. A failure ends it with its status."""
    try:
        async with contextlib.aclosing(messages):
            async for message in messages:
                answers.check(message)
                await context.write(message)
    except Exception as failure:  # noqa: BLE001 - as for calls
        code, status = status_of(failure)
        _log_unexpected(method, code, failure)
        await _answer(_Outcome(code, status=status, begun=True), context)


def _span(method: str, metadata: Mapping[str, str]) -> contextlib.AbstractContextManager[Span]:
    name, attributes = of_call(method, metadata.get("x-lyceum-route", ""))
    return tracing.span(name, SpanKind.SERVER, attributes, parent=metadata.get("traceparent"))


def _log_unexpected(method: str, code: grpc.StatusCode, failure: Exception) -> None:
    if code is grpc.StatusCode.INTERNAL:
        log.error("call failed", extra={"method": method, "kind": type(failure).__name__}, exc_info=failure)
