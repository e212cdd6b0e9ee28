"""A domain of deadlines: alarms that are set, moved, cancelled, and ring.

Its decider does not look at the state: whatever is commanded is recorded. So an alarm that rings once does so because
of the mechanism alone.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from house import NOW, House, context

from eventfold import (
    NOTHING_DUE,
    Ask,
    Decider,
    Due,
    DueDate,
    DueHandler,
    EventCodec,
    EventStore,
    Item,
    Pace,
    Recorded,
    StreamType,
)
from eventfold.errors import WrongState
from eventfold.timers.due_worker import DueWorker, elapsed_s
from eventfold.timers.intents import EVENTS
from eventfold.vocabulary.due import timer

PACE = Pace(timedelta(seconds=1), timedelta(seconds=60))


@dataclass(frozen=True, slots=True)
class SetAlarm:
    at: datetime


@dataclass(frozen=True, slots=True)
class CancelAlarm:
    pass


@dataclass(frozen=True, slots=True)
class Touch:
    """Records something that does not concern the due date."""


@dataclass(frozen=True, slots=True)
class Ring:
    now: datetime


@dataclass(frozen=True, slots=True)
class Refuse:
    pass


@dataclass(frozen=True, slots=True)
class AlarmSet:
    at: datetime


@dataclass(frozen=True, slots=True)
class AlarmCancelled:
    pass


@dataclass(frozen=True, slots=True)
class Touched:
    pass


@dataclass(frozen=True, slots=True)
class Rang:
    at: datetime


def decide(command: Any, state: int) -> Sequence[Any]:
    match command:
        case SetAlarm(at=at):
            return [AlarmSet(at)]
        case CancelAlarm():
            return [AlarmCancelled()]
        case Touch():
            return [Touched()]
        case Ring(now=now):
            return [Rang(now)]
    raise WrongState("refused")


def due(recorded: Recorded) -> DueDate | None:
    match recorded.event:
        case AlarmSet(at=at):
            return DueDate(at)
        case AlarmCancelled():
            return NOTHING_DUE
    return None  # ringing says nothing of the date: the mechanism ends it


ALARM: StreamType[Any, int, Any] = StreamType("alarm", Decider(0, decide, lambda state, _: state + 1), due=due)
HOT_ALARM: StreamType[Any, int, Any] = StreamType("hotalarm", ALARM.decider, hot=True, due=due)
CODEC = EventCodec(
    {
        AlarmSet: ("alarm.set", 1),
        AlarmCancelled: ("alarm.cancelled", 1),
        Touched: ("alarm.touched", 1),
        Rang: ("alarm.rang", 1),
        **EVENTS,
    }
)


class Unpublished:
    """Nothing of this domain is published."""

    source = "/alarms"

    def value(self, recorded: Recorded) -> bytes | None:
        return None


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def store_of(house: House) -> EventStore:
    return EventStore(house.pool, CODEC, Unpublished(), random.Random(7))


class Killed(Exception):
    """Ends a worker between its writes and their commit."""


class DyingStore(EventStore):
    """Its process is killed before the next commit, if it is told so."""

    dying = False

    async def decide(self, *arguments: Any, **named: Any) -> Any:
        decided = await super().decide(*arguments, **named)
        if self.dying:
            raise Killed
        return decided


def dying_store_of(house: House) -> DyingStore:
    return DyingStore(house.pool, CODEC, Unpublished(), random.Random(7))


def asked(alarm: str, command: Any, kind: StreamType[Any, Any, Any] = ALARM) -> Item:
    return Item((Ask(kind, alarm, command),))


async def record(store: EventStore, alarm: str, command: Any, kind: StreamType[Any, Any, Any] = ALARM) -> None:
    await store.handle(asked(alarm, command, kind), context())


def ring(due: Due) -> Item:
    return asked(due.stream_id, Ring(due.now))


RINGING = timer(ALARM, ring, PACE)


def worker(
    house: House,
    clock: Clock,
    *handlers: DueHandler,
    store: EventStore | None = None,
    holder: str = "one",
    connect: Callable[[], Awaitable[Any]] | None = None,
    elapsed: Callable[[], float] = elapsed_s,
) -> DueWorker:
    return DueWorker(
        name="due",
        holder=holder,
        connect=connect or house.connect,
        store=store or store_of(house),
        handlers=handlers or (RINGING,),
        clock=clock,
        rng=random.Random(7),
        elapsed=elapsed,
    )


async def log_of(house: House, kind: str = "alarm") -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """What is recorded of each alarm, in order, read beside the store under test."""
    rows = await house.rows("SELECT stream, type, data FROM events ORDER BY stream, version")
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for stream, type_name, data in rows:
        if str(stream).startswith(f"{kind}-"):
            found.setdefault(str(stream).removeprefix(f"{kind}-"), []).append((str(type_name), data))  # type: ignore[arg-type]
    return found


async def rung(house: House) -> dict[str, int]:
    return {
        alarm: count
        for alarm, events in (await log_of(house)).items()
        if (count := sum(name == "alarm.rang" for name, _ in events))
    }


async def dates(house: House) -> list[tuple[Any, ...]]:
    return await house.rows("SELECT stream_id, due_at, attempts FROM due_date ORDER BY stream_id")
