"""Handlers of due streams."""

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
"""The largest part of a pause that is cut off at random."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The pauses between the looks at a date that is not settled: `first`, then doubling up to `longest`."""

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(hours=1)

    def pause(self, attempt: int, rng: random.Random) -> timedelta:
        """The pause after the `attempt`-th look (from 1). It is shortened at random, so that many looks do not come at
        once."""
        return self.at_most(attempt) * (1 - JITTER * rng.random())

    def at_most(self, attempt: int) -> timedelta:
        """The pause after the `attempt`-th look (from 1), unshortened."""
        return min(self.longest, self.first * (1 << min(attempt - 1, MAX_DOUBLINGS)))


@dataclass(frozen=True, slots=True)
class Due:
    """A stream whose due date has come: its state, when the date was set, and the number of this look, from 1."""

    stream_id: str
    state: Any
    since: datetime
    attempt: int
    now: datetime


Handle = Callable[[Due], Awaitable[Item | None]]


@dataclass(frozen=True, slots=True)
class DueHandler:
    """How to handle a due stream of this type.

    `handle` returns the commands that follow, which settle the date, or None to look again after a pause. It may ask
    outside (for `HANDLE_WITHIN_S`) and must tolerate repetition: it asks under the name of the stream. It raises
    `OutcomeUnknown` if it got no answer, and a `DomainError` if an operator must look; other failures end the worker.
    """

    stream_type: StreamType[Any, Any, Any]
    handle: Handle
    pace: Pace = Pace()


def timer(
    stream_type: StreamType[Any, Any, Any], react: Callable[[Due], Item | None], pace: Pace | None = None
) -> DueHandler:
    """The handler of a deadline: pure `react(due)` returns the commands that follow."""

    async def handle(due: Due) -> Item | None:
        return react(due)

    return DueHandler(stream_type, handle, pace or Pace())
