"""Intents: what a provider outside is asked to do, recorded under a number before it is asked, and what came of it.

An intent is a stream named by its number, due at once. The due-date worker asks the provider by that number, after a
first attempt always what it knows of it first; so whatever dies or times out, a provider that does a thing once for a
number does it once. The answer is an event. Where there is none after `MAX_ATTEMPTS`, that is one too: `AskAgain`
opens the intent again, under the same number.

A stream with facts of its own (a payment, which its buyer settles) is an intent, too, where it records its number first
and has its `Provider` asked by `outcome_of`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, Protocol, TypeVar, assert_never

from eventfold.errors import NotFound, WrongState
from eventfold.vocabulary.decider import NOTHING_DUE, Ask, Decider, DueDate, Item, Recorded, StreamType
from eventfold.vocabulary.due import Due, DueHandler, Pace

_NAMESPACE = uuid.UUID("3c1d6f0a-6f0e-5d1b-9a53-0f6f5c0f4c77")

MAX_ATTEMPTS = 20
PACE = Pace(timedelta(seconds=2), timedelta(hours=1))
"""About 10 hours until an intent without an answer is given up."""


def number_of(source: str, step: str) -> str:
    """The number of what follows from `source` (an event's id, say) at `step`: 32 letters and digits, ever the same."""
    return uuid.uuid5(_NAMESPACE, f"{source}/{step}").hex


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider did for a number; `detail` is its reference or its reason, without personal data."""

    status: Literal["succeeded", "failed"]
    detail: str


Request = TypeVar("Request")
Told = TypeVar("Told")
Request_contra = TypeVar("Request_contra", contravariant=True)
Told_co = TypeVar("Told_co", covariant=True)


class Provider(Protocol[Request_contra, Told_co]):
    """A provider outside, which does a thing once for a number, however often it is asked to. What it is asked for and
    what it tells are of a form that it shares with those who ask it."""

    async def execute(self, number: str, request: Request_contra) -> Told_co:
        """Do it, or say what came of it. Raises `OutcomeUnknown`, also while the provider is still at it and has no
        form to say so."""

    async def query(self, number: str) -> Told_co | None:
        """What came of it; None where the number was never heard of. Raises `OutcomeUnknown` as `execute` does."""


async def outcome_of(provider: Provider[Request, Told], number: str, request: Request, *, asked_before: bool) -> Told:
    """What came of a number. Who may have been asked for it before is first asked what became of that, then to do it.
    Raises `OutcomeUnknown`."""
    known = await provider.query(number) if asked_before else None
    return await provider.execute(number, request) if known is None else known


AnyProvider = Provider[Mapping[str, Any], Answer]
"""A provider of intents that are nothing else."""


@dataclass(frozen=True, slots=True)
class RecordIntent:
    """Ask the provider of this name; `request` holds JSON-able values, none of them personal."""

    provider: str
    request: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordAnswer:
    """The provider has answered; None: it has not, and is not asked any more."""

    answer: Answer | None


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Open an intent whose outcome stayed unknown."""


@dataclass(frozen=True, slots=True)
class IntentRecorded:
    """The provider shall be asked."""

    provider: str
    request: dict[str, Any]


@dataclass(frozen=True, slots=True)
class IntentSucceeded:
    """The provider did it; its own reference is in `detail`."""

    provider: str
    detail: str


@dataclass(frozen=True, slots=True)
class IntentFailed:
    """The provider will not do it, for the reason in `detail`."""

    provider: str
    detail: str


@dataclass(frozen=True, slots=True)
class IntentUnanswered:
    """Whether the provider did it is not known, and it is not asked any more: somebody must look."""

    provider: str


@dataclass(frozen=True, slots=True)
class IntentReopened:
    """The provider shall be asked again what came of it."""

    provider: str


IntentCommand = RecordIntent | RecordAnswer | AskAgain
IntentEvent = IntentRecorded | IntentSucceeded | IntentFailed | IntentUnanswered | IntentReopened

EVENTS: Mapping[type[Any], tuple[str, int]] = {
    IntentRecorded: ("intent.recorded", 1),
    IntentSucceeded: ("intent.succeeded", 1),
    IntentFailed: ("intent.failed", 1),
    IntentUnanswered: ("intent.unanswered", 1),
    IntentReopened: ("intent.reopened", 1),
}
"""For the codec of a service that has intents."""


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent as it stands; `reopened` says that the provider may know of it from before."""

    status: Literal["absent", "open", "succeeded", "failed", "unanswered"] = "absent"
    provider: str = ""
    request: dict[str, Any] | None = None
    reopened: bool = False


def decide(command: IntentCommand, state: Intent) -> Sequence[IntentEvent]:
    """Raises `NotFound`, and `WrongState` for another request under the number or another answer than was recorded;
    repetition records nothing."""
    if isinstance(command, RecordIntent):
        return _record(command, state)
    if state.status == "absent":
        raise NotFound("there is no intent of this number")
    match command:
        case RecordAnswer(answer=answer):
            return _answer(answer, state) if answer else _unanswered(state)
        case AskAgain():
            return [IntentReopened(state.provider)] if state.status == "unanswered" else []
        case _:
            assert_never(command)


def _record(command: RecordIntent, state: Intent) -> Sequence[IntentEvent]:
    if state.status == "absent":
        return [IntentRecorded(command.provider, command.request)]
    if (state.provider, state.request) != (command.provider, command.request):
        raise WrongState("this number stands for another request")
    return []


def _unanswered(state: Intent) -> Sequence[IntentEvent]:
    return [IntentUnanswered(state.provider)] if state.status == "open" else []


def _answer(answer: Answer, state: Intent) -> Sequence[IntentEvent]:
    if state.status in ("open", "unanswered"):
        kind = IntentSucceeded if answer.status == "succeeded" else IntentFailed
        return [kind(state.provider, answer.detail)]
    if state.status != answer.status:
        raise WrongState(f"the intent has {state.status}, not {answer.status}")
    return []


def evolve(state: Intent, event: IntentEvent) -> Intent:
    """Open until it is answered or given up; an answer is the end."""
    match event:
        case IntentRecorded(provider=provider, request=request):
            return Intent("open", provider, request)
        case IntentSucceeded():
            return replace(state, status="succeeded")
        case IntentFailed():
            return replace(state, status="failed")
        case IntentUnanswered():
            return replace(state, status="unanswered")
        case IntentReopened():
            return replace(state, status="open", reopened=True)
        case _:
            assert_never(event)


def due(recorded: Recorded) -> DueDate:
    """An open intent is due at once."""
    is_open = isinstance(recorded.event, IntentRecorded | IntentReopened)
    return DueDate(recorded.recorded_at) if is_open else NOTHING_DUE


INTENT = StreamType("intent", Decider(Intent(), decide, evolve), due=due)


def carrying_out(
    providers: Mapping[str, AnyProvider],
    pace: Pace = PACE,
    max_attempts: int = MAX_ATTEMPTS,
    stream_type: StreamType[Any, Any, Any] = INTENT,
) -> DueHandler:
    """The handler that asks the providers, by name. An intent whose provider is not here is refused, and waits."""

    async def handle(due: Due) -> Item:
        answer = None if due.attempt > max_attempts else await _ask(providers, due)
        return Item((Ask(stream_type, due.stream_id, RecordAnswer(answer)),))

    return DueHandler(stream_type, handle, pace)


async def _ask(providers: Mapping[str, AnyProvider], due: Due) -> Answer:
    intent: Intent = due.state
    if intent.provider not in providers:
        raise NotFound(f"there is no provider {intent.provider} here")
    asked_before = due.attempt > 1 or intent.reopened
    return await outcome_of(providers[intent.provider], due.stream_id, intent.request or {}, asked_before=asked_before)
