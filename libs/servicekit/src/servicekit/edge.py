"""The gRPC edge: every call gets its `Call`, every failure becomes a status, and each is counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import grpc
from prometheus_client import Histogram

from eventfold.errors import Unauthenticated
from servicekit.call import Call, enter_call
from servicekit.caller import Caller, TokenVerifier
from servicekit.statuses import status_of

log = logging.getLogger(__name__)

CALL_SECONDS = Histogram("lyceum_call_seconds", "Served gRPC calls by method and status.", ["method", "status"])
BEARER = "bearer "
UNGUARDED = ("/grpc.health.", "/grpc.reflection.")


class Edge(grpc.aio.ServerInterceptor):
    """Wraps every unary method of the services. `clock` gives the time of each call."""

    def __init__(
        self, service: str, verifier: TokenVerifier, idempotency_secret: bytes,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._service = service
        self._verifier = verifier
        self._secret = idempotency_secret
        self._clock = clock

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Guard every unary method but health and reflection."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or handler.unary_unary is None or method.startswith(UNGUARDED):
            return handler
        return grpc.unary_unary_rpc_method_handler(
            self._served(method, handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )

    def _served(self, method: str, behave: Any) -> Any:
        async def served(request: Any, context: Any) -> Any:
            started = time.perf_counter()
            code = grpc.StatusCode.OK
            try:
                enter_call(await self._call(method, context))
                return await behave(request, context)
            except grpc.aio.AbortError:
                code = context.code() or grpc.StatusCode.UNKNOWN
                raise
            except Exception as failure:  # noqa: BLE001 - this is where failures become statuses
                code, status = status_of(failure)
                _log_unexpected(method, code, failure)
                context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
                await context.abort(code, status.message)
            finally:
                CALL_SECONDS.labels(method, code.name).observe(time.perf_counter() - started)

        return served

    async def _call(self, method: str, context: Any) -> Call:
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        caller = await self._caller(metadata.get("authorization"))
        return Call(method, metadata, caller, self._clock(), self._service, self._secret, context)

    async def _caller(self, authorization: str | None) -> Caller | None:
        if authorization is None:
            return None
        if not authorization.lower().startswith(BEARER):
            raise Unauthenticated("the authorization header must carry a bearer token", field="authorization")
        return await self._verifier.verify(authorization[len(BEARER) :].strip())


def _log_unexpected(method: str, code: grpc.StatusCode, failure: Exception) -> None:
    if code is grpc.StatusCode.INTERNAL:
        log.error("call failed", extra={"method": method, "kind": type(failure).__name__}, exc_info=failure)
