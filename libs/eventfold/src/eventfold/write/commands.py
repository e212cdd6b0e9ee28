"""Commands on their way through the store: items, deadline, and the answer to each."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from eventfold.vocabulary.decider import Address, Context, Item
from eventfold.write.desk import Outcome
from eventfold.write.idempotency import Answers, Idempotency
from eventfold.write.recordable import may_exist

if TYPE_CHECKING:
    from eventfold.postgres.sessions import Connection

RETRY_FIRST_S = 0.002
RETRY_MAX_S = 0.050


@dataclass(frozen=True, slots=True)
class Handled:
    """The result of a command: ids for its answer, and the position for its consistency token.

    `position` is None if nothing was recorded. If `replayed`, a stored answer came back, and `outcomes` is empty.
    """

    answer: Mapping[str, Any]
    position: int | None
    outcomes: tuple[Outcome, ...] = ()
    replayed: bool = False


Answer = Callable[[Sequence[Outcome]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PendingCommand:
    """The arguments of `EventStore.handle_batch`."""

    items: Sequence[Item]
    context: Context
    idempotency: Idempotency | None
    answer: Answer
    give_up_at: float
    raise_errors: bool

    @property
    def left_s(self) -> float:
        """Seconds until its deadline."""
        return max(0.0, self.give_up_at - time.monotonic())

    @property
    def lines(self) -> Iterator[str]:
        """The queues in which the command may have to wait: its streams and its idempotency key."""
        yield from (ask.stream for item in self.items for ask in item.asks)
        if self.idempotency:
            yield self.idempotency.line


def no_answer(_: Sequence[Outcome]) -> dict[str, Any]:
    """For callers whose answer holds no ids."""
    return {}


def retry_pause_s(attempt: int, rng: random.Random) -> float:
    """How long writers that collided wait after their `attempt`-th try (from 1): a random time, so that they spread
    out."""
    return min(RETRY_MAX_S, RETRY_FIRST_S * 2.0**attempt) * rng.random()


def replayed_answer(command: PendingCommand, known: Answers) -> Handled | None:
    """The stored answer to the command under its key; None if there is none."""
    found = known.get(command.idempotency.place) if command.idempotency else None
    return Handled(*found, replayed=True) if found else None


def each_answer(
    commands: Sequence[PendingCommand], outcomes: Sequence[Outcome], positions: Sequence[int]
) -> Iterator[Handled | Exception]:
    """The answer to each command. `outcomes`, and the `positions` of all their events, are in the order of the
    commands."""
    left, positions_left = iter(outcomes), iter(positions)
    for command in commands:
        own = tuple(islice(left, len(command.items)))
        places = list(islice(positions_left, sum(len(outcome.events) for outcome in own)))
        error = own[0].error if command.raise_errors else None
        yield error or Handled(command.answer(own), max(places, default=None), own)


def unless_failed(made: Handled | Exception) -> Handled:
    """The result, or raise its failure."""
    if isinstance(made, Exception):
        raise made
    return made


def lines_of(commands: Sequence[PendingCommand]) -> Iterator[str]:
    """The queues in which the commands may have to wait."""
    return (line for command in commands for line in command.lines)


def hot_streams(addressed: Iterable[Address]) -> list[str]:
    """The streams whose writers queue, in the same order for all writers."""
    return sorted({one.stream for one in addressed if one.stream_type.hot and may_exist(one.stream)})


def transaction(conn: Connection, commands: Sequence[PendingCommand]) -> contextlib.AbstractAsyncContextManager[object]:
    """A transaction if one is needed: to hold a hot stream's lock, or to write an answer beside the events. Otherwise
    the one INSERT is the transaction, which saves two round trips."""
    asks = [ask for one in commands for item in one.items for ask in item.asks]
    if hot_streams(asks) or any(one.idempotency for one in commands):
        return conn.transaction()
    return contextlib.nullcontext()
