"""The single table from failures to gRPC statuses, with details on which clients may act."""

from __future__ import annotations

import contextlib

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from psycopg import OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout, LockNotAvailable, QueryCanceled
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from eventfold.errors import (
    AlreadyExists,
    BuiltUnderOther,
    Contention,
    DeadlineExceeded,
    DomainError,
    Exhausted,
    HistoryRewritten,
    IdempotencyMismatch,
    InvalidInput,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    PeerUnavailable,
    Unauthenticated,
    UnexpectedVersion,
    VersionConflict,
    WrongState,
)
from eventfold.vocabulary.codec import UnknownEventType
from servicekit.draining import Overloaded, Stopping
from servicekit.limits import TooManyCalls
from servicekit.policy import NotYetApplied

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
    (BuiltUnderOther, grpc.StatusCode.FAILED_PRECONDITION, "BUILT_UNDER_OTHER"),
    (HistoryRewritten, grpc.StatusCode.FAILED_PRECONDITION, "HISTORY_REWRITTEN"),
    (UnknownEventType, grpc.StatusCode.UNAVAILABLE, "NEWER_BUILD"),
    (VersionConflict, grpc.StatusCode.ABORTED, "CONTENTION"),
    (LockNotAvailable, grpc.StatusCode.ABORTED, "CONTENTION"),
    (DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED, "OUT_OF_TIME"),
    (QueryCanceled, grpc.StatusCode.DEADLINE_EXCEEDED, "OUT_OF_TIME"),
    (NotYetApplied, grpc.StatusCode.UNAVAILABLE, "NOT_YET_APPLIED"),
    (TooManyCalls, grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS"),
    (Stopping, grpc.StatusCode.UNAVAILABLE, "STOPPING"),
    (Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
    (grpc.aio.AioRpcError, grpc.StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE"),
    (PeerUnavailable, grpc.StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE"),
    (OutcomeUnknown, grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE"),
    (PoolTimeout, grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
    (TooManyRequests, grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
    (PoolClosed, grpc.StatusCode.UNAVAILABLE, "STOPPING"),
    (OperationalError, grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
    (IdleInTransactionSessionTimeout, grpc.StatusCode.UNAVAILABLE, "OVERLOADED"),
    (TimeoutError, grpc.StatusCode.UNAVAILABLE, "TIMED_OUT"),
    (ConnectionError, grpc.StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE"),
)
_PUBLIC_TEXT = (DomainError, BuiltUnderOther)
_ABOUT_THE_INPUT = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
"""Statuses in which a peer may comment on our caller's input. If it does not admit us, or fails, that concerns only the
two services."""


def status_of(failure: Exception) -> tuple[grpc.StatusCode, Status]:
    """The code and full status of a failure. A failure that is not in the table becomes INTERNAL, and its cause is not
    disclosed.

    If a peer refuses our caller's input, the refusal is passed on in the peer's own words.
    """
    if isinstance(failure, grpc.aio.AioRpcError) and failure.code() in _ABOUT_THE_INPUT:
        return failure.code(), _of_peer(failure)
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


def _of_peer(refusal: grpc.aio.AioRpcError) -> Status:
    """The peer's details, if it sent some with the same code. Without them, its message is not passed on."""
    code = refusal.code()
    sent = dict(refusal.trailing_metadata() or ()).get("grpc-status-details-bin")
    with contextlib.suppress(DecodeError):
        status = Status.FromString(sent) if isinstance(sent, bytes) else Status()
        if status.code == code.value[0]:
            return status
    return _status(code, code.name, refusal)


def _field(failure: Exception) -> str | None:
    if isinstance(failure, IdempotencyMismatch):
        return "idempotency-key"
    return failure.field if isinstance(failure, DomainError) else None


def _packed(message: ErrorInfo | BadRequest) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
