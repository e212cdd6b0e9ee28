"""The one table from failures to gRPC statuses, with the details that clients may act on."""

from __future__ import annotations

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from eventfold.errors import (
    AlreadyExists,
    Contention,
    DomainError,
    Exhausted,
    IdempotencyMismatch,
    InvalidInput,
    NotFound,
    NotPermitted,
    Unauthenticated,
    UnexpectedVersion,
    WrongState,
)

DOMAIN = "lyceum"

_TABLE: tuple[tuple[type[Exception], grpc.StatusCode, str], ...] = (
    (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
    (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT"),
    (NotFound, grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
    (AlreadyExists, grpc.StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS"),
    (NotPermitted, grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED"),
    (WrongState, grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE"),
    (Exhausted, grpc.StatusCode.RESOURCE_EXHAUSTED, "EXHAUSTED"),
    (UnexpectedVersion, grpc.StatusCode.ABORTED, "UNEXPECTED_VERSION"),
    (DomainError, grpc.StatusCode.FAILED_PRECONDITION, "REFUSED"),
    (IdempotencyMismatch, grpc.StatusCode.INVALID_ARGUMENT, "IDEMPOTENCY_KEY_REUSED"),
    (Contention, grpc.StatusCode.ABORTED, "CONTENTION"),
    (grpc.aio.AioRpcError, grpc.StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE"),
    (PoolTimeout, grpc.StatusCode.UNAVAILABLE, "OVERLOADED"),
    (OperationalError, grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
)
_PUBLIC_TEXT = (DomainError,)


def status_of(failure: Exception) -> tuple[grpc.StatusCode, Status]:
    """The code and full status of a failure. What is not in the table is INTERNAL and says nothing of its cause."""
    for kind, code, reason in _TABLE:
        if isinstance(failure, kind):
            reason = failure.code if isinstance(failure, DomainError) else reason
            return code, _status(code, reason, failure)
    return grpc.StatusCode.INTERNAL, _status(grpc.StatusCode.INTERNAL, "INTERNAL", failure)


def _status(code: grpc.StatusCode, reason: str, failure: Exception) -> Status:
    message = str(failure) if isinstance(failure, _PUBLIC_TEXT) else reason.replace("_", " ").lower()
    field = _field(failure)
    ids = failure.ids if isinstance(failure, DomainError) else {}
    info = ErrorInfo(reason=reason, domain=DOMAIN, metadata={**ids, **({"field": field} if field else {})})
    details = [_packed(info)]
    if field and code is grpc.StatusCode.INVALID_ARGUMENT:
        violation = BadRequest.FieldViolation(field=field, description=message)
        details.append(_packed(BadRequest(field_violations=[violation])))
    return Status(code=code.value[0], message=message, details=details)


def _field(failure: Exception) -> str | None:
    if isinstance(failure, IdempotencyMismatch):
        return "idempotency-key"
    return failure.field if isinstance(failure, DomainError) else None


def _packed(message: ErrorInfo | BadRequest) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
