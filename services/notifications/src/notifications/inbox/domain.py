"""A member's inbox: how far it is read. What stands in it follows from other services' events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eventfold import Decider, Stored, StreamType


@dataclass(frozen=True, slots=True)
class MarkRead:
    """Everything of `until` and before is read."""

    until: datetime


@dataclass(frozen=True, slots=True)
class InboxRead:
    """Everything of `until` and before is read; before this event, everything of `previous`."""

    until: datetime
    previous: datetime | None


@dataclass(frozen=True, slots=True)
class Inbox:
    """How far a member has read; None: nothing yet."""

    read_until: datetime | None = None


def decide(command: MarkRead, state: Inbox) -> Sequence[InboxRead]:
    """What is read stays read: an earlier moment records nothing."""
    if state.read_until is not None and command.until <= state.read_until:
        return []
    return [InboxRead(command.until, state.read_until)]


def evolve(state: Inbox, event: InboxRead) -> Inbox:
    """State after one event."""
    return Inbox(event.until)


INBOX: Final[StreamType[MarkRead, Inbox, InboxRead]] = StreamType("inbox", Decider(Inbox(), decide, evolve))
EVENTS: Final[Stored] = {InboxRead: ("inbox.read", 1)}
