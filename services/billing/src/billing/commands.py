"""What every slice's commands carry beside what they ask for."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message

from eventfold import Context, Idempotency
from servicekit.call import Call


@dataclass(frozen=True, slots=True)
class EdgeFacts:
    """The edge facts of a command: what is recorded beside it, and under which key."""

    context: Context
    idempotency: Idempotency | None


def command_of(call: Call, request: Message) -> EdgeFacts:
    """The edge facts of this request."""
    return EdgeFacts(call.context(), call.idempotency(request))
