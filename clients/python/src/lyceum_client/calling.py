"""A call: what the contracts say of it, how it is to be made, and what comes back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from lyceum_client.wire import Message

DEADLINE_S = 20.0
A_co = TypeVar("A_co", bound=Message, covariant=True)
A = TypeVar("A", bound=Message)


class Repeats(Enum):
    """Whether a call may be sent again when nobody knows what became of the first: reads may, commands with an
    idempotency key may, others may not."""

    ALWAYS = "always"
    WITH_KEY = "with_key"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Call(Generic[A_co]):
    """A method of the gateway. `body` is `*`, the one field that is the body, or empty. `is_open`: it is answered
    without a token. `takes_token`: it looks at one. `waits`: it waits for consistency tokens.
    `streams`: it answers with many messages, as they come."""

    service: str
    name: str
    verb: str
    path: str
    body: str
    answer: type[A_co]
    is_open: bool
    takes_token: bool
    waits: bool
    repeats: Repeats
    streams: bool = False


@dataclass(frozen=True, slots=True)
class How:
    """How one call is to be made.

    `deadline_s` covers all attempts and pauses; of a stream, up to its first message.
    `idempotency_key` stands for one wish: give the same when a wish is
    sent again later (as after `NoAnswer`); by default each call has a new one, kept over its own attempts.
    `after` are consistency tokens to wait for, beside those that the session remembers.
    """

    deadline_s: float = DEADLINE_S
    idempotency_key: str = ""
    after: tuple[str, ...] = ()


USUAL = How()


@dataclass(frozen=True, slots=True)
class Answer(Generic[A_co]):
    """`value` is the message. `token` stands for what a command wrote. `is_stale`: what the caller had seen or written
    before was not all applied within the wait (2 s), so ask again. `content_id` is said by `publish` only."""

    value: A_co
    token: str = ""
    is_stale: bool = False
    request_id: str = ""
    content_id: str = ""


class Caller(Protocol):
    """Makes calls."""

    async def call(self, call: Call[A], request: Message, how: How) -> Answer[A]:
        """The answer. Raises `LyceumError`."""

    def stream(self, call: Call[A], request: Message, how: How) -> AsyncGenerator[A, None]:
        """What comes, until the platform ends it. Raises `LyceumError`."""
