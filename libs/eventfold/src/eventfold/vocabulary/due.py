"""What is done when a stream is due: the vocabulary of handlers."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from eventfold.vocabulary.decider import Item, StreamType

HANDLE_WITHIN_S = 20.0
MAX_DOUBLINGS = 16
JITTER = 0.2
"""By which part a pause is shortened at most."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The pauses between the looks at a date that nothing settles: `first`, then doubling up to `longest`."""

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(hours=1)

    def pause(self, attempt: int, rng: random.Random) -> timedelta:
        """The pause after the `attempt`-th look, from 1; shortened at random, so that many do not come at once."""
        return self.at_most(attempt) * (1 - JITTER * rng.random())

    def at_most(self, attempt: int) -> timedelta:
        """The pause after the `attempt`-th look, from 1, unshortened."""
        return min(self.longest, self.first * (1 << min(attempt - 1, MAX_DOUBLINGS)))


@dataclass(frozen=True, slots=True)
class Due:
    """A stream whose due date has come: its state, when the date was set, and which look at it this is, from 1."""

    stream_id: str
    state: Any
    since: datetime
    attempt: int
    now: datetime


Handle = Callable[[Due], Awaitable[Item | None]]


@dataclass(frozen=True, slots=True)
class DueHandler:
    """What is done when a stream of this type is due.

    `handle` returns the commands that follow, which settle the date, or None: look again after a pause. It may ask
    outside (for `HANDLE_WITHIN_S`) and must bear being repeated: what it asks for is named by the stream. It raises
    `OutcomeUnknown` where it got no answer, and a `DomainError` where somebody must look; other failures
    end the worker.
    """

    stream_type: StreamType[Any, Any, Any]
    handle: Handle
    pace: Pace = Pace()


def timer(
    stream_type: StreamType[Any, Any, Any], react: Callable[[Due], Item | None], pace: Pace | None = None
) -> DueHandler:
    """The handler of a deadline: pure `react(due)` names the commands that it calls for."""

    async def handle(due: Due) -> Item | None:
        return react(due)

    return DueHandler(stream_type, handle, pace or Pace())
