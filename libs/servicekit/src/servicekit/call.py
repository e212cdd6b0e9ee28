"""One gRPC call as servicers see it: its caller, time, idempotency key and deadline."""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any

import grpc
from google.protobuf.message import Message

from eventfold import Context, Idempotency, tracing
from eventfold.errors import InvalidInput, Unauthenticated
from eventfold.reading.consistency import Token
from servicekit.caller import Caller
from servicekit.sealed_tokens import opened, sealed

MAX_DEADLINE_S = 30.0
DEFAULT_DEADLINE_S = 10.0
CORRELATION_ID = re.compile(r"[\x21-\x7e]{1,128}")
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,128}")
ANONYMOUS = "anonymous"
IPV6_CLIENT_BITS = 64


def _nobody() -> None:
    """Does nothing: there is no relay to wake."""


@dataclass(frozen=True, slots=True)
class Call:
    """The edge facts of one call. `now` is read once, so that a command has a single time."""

    rpc: str
    metadata: Mapping[str, str]
    caller: Caller | None
    now: datetime
    service: str
    idempotency_secret: bytes
    servicer_context: grpc.aio.ServicerContext[Message, Message]
    other_secrets: tuple[bytes, ...] = ()
    """Fingerprint keys that were current before, or will be next: their fingerprints stand for the same input."""
    history: str = ""
    """The mark of the store's history, for tokens."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    """Sent before the answer, all at once: gRPC takes them once."""
    wake_relay: Callable[[], None] = _nobody
    """Tells the relay of this process, if there is one, that something was recorded."""
    correlation_id: str = field(init=False)
    """What joins everything that this call causes: logs, events, and what processes do after them. The gateway gives
    it, and tells the caller, as `x-request-id`; a call without one gets its own."""

    def __post_init__(self) -> None:
        told = self.metadata.get("x-request-id", "")
        object.__setattr__(self, "correlation_id", told if CORRELATION_ID.fullmatch(told) else str(uuid.uuid4()))

    def token(self, text: str) -> Token:
        """A consistency token that a client or another service presents. Raises `InvalidInput`."""
        return opened(text, self.service, (self.idempotency_secret, *self.other_secrets))

    def require_caller(self) -> Caller:
        """The caller. Raises `Unauthenticated` if the call carries no token."""
        if self.caller is None:
            raise Unauthenticated("this needs an access token", field="authorization")
        return self.caller

    @property
    def actor(self) -> str:
        """The member's id, or `anonymous`."""
        return self.caller.member_id if self.caller else ANONYMOUS

    @property
    def client(self) -> str:
        """The address from which the caller speaks, as the gateway says; empty if none said it. Of an IPv6 address only
        the first 64 bits, because one client has all the others. Personal: for limits, never for logs or events."""
        told = self.metadata.get("x-lyceum-client", "")
        try:
            address = ip_address(told)
        except ValueError:
            return told
        return str(address) if address.version == 4 else str(ip_network((address, IPV6_CLIENT_BITS), strict=False))

    @property
    def deadline_s(self) -> float:
        """Seconds left to answer, at most `MAX_DEADLINE_S`."""
        return deadline_s(self.servicer_context)

    def context(self, *, occurred_at: datetime | None = None, backfill: bool = False) -> Context:
        """The context recorded with the events of this call. Only importers may set `occurred_at`."""
        traceparent = tracing.current() or tracing.checked(self.metadata.get("traceparent"))
        return Context(
            now=self.now,
            actor=self.actor,
            correlation_id=self.correlation_id,
            backfill=backfill,
            traceparent=traceparent,
            occurred_at=occurred_at,
        )

    def idempotency(self, request: Message, secret_fields: Sequence[str] = ()) -> Idempotency | None:
        """The caller's idempotency key for this request, if it sent one. `secret_fields` stay out of the fingerprint.

        Raises `InvalidInput` for a key that is not 1-128 visible ASCII characters.
        """
        key = self.metadata.get("idempotency-key")
        if key is None:
            return None
        if not IDEMPOTENCY_KEY.fullmatch(key):
            raise InvalidInput("the key must be 1-128 visible ASCII characters", field="idempotency-key")
        plain = type(request)()
        plain.CopyFrom(request)
        for name in secret_fields:
            plain.ClearField(name)
        text = plain.SerializeToString(deterministic=True)
        own, *others = (
            hmac.digest(secret, text, hashlib.sha256) for secret in (self.idempotency_secret, *self.other_secrets)
        )
        return Idempotency(f"{self.actor}|{self.rpc}", key, own, tuple(others))

    async def recorded(self, position: int | None, *, covers_all: bool = False) -> str:
        """Wake the relay. Returns the consistency token of the recorded events, and sends it as initial metadata
        `x-lyceum-token`; empty if nothing was recorded."""
        self.wake_relay()
        if position is None:
            return ""
        token = sealed(Token(self.service, position, covers_all, self.history), self.idempotency_secret)
        self.headers.append(("x-lyceum-token", token))
        return token


def deadline_s(servicer_context: Any) -> float:
    """Seconds left to answer a call, at most `MAX_DEADLINE_S`. If the caller sets no deadline, `DEFAULT_DEADLINE_S`."""
    remaining: float | None = servicer_context.time_remaining()
    return DEFAULT_DEADLINE_S if remaining is None else max(0.0, min(remaining, MAX_DEADLINE_S))


_current: ContextVar[Call] = ContextVar("call")


def current_call() -> Call:
    """The call being served in this task. Raises LookupError outside of one."""
    return _current.get()


def present_call() -> Call | None:
    """The call being served in this task; None outside of one."""
    return _current.get(None)


def callers_deadline_s() -> float:
    """Seconds left to answer the present call; `MAX_DEADLINE_S` outside of a call."""
    call = present_call()
    return call.deadline_s if call else MAX_DEADLINE_S


def enter_call(call: Call) -> None:
    """Make `call` the current one of this task."""
    _current.set(call)
