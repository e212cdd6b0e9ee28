"""Intents: requests to an outside provider. Each is recorded under a number before the provider is asked, and then its
outcome.

An intent is a stream named by its number, and due at once. The due-date worker asks the provider by that number. After
a first attempt it always queries the provider for the number first. So even after crashes and timeouts, a provider that
acts once for a number acts only once. The answer is an event. If there is no answer after `MAX_ATTEMPTS`, that is
recorded too; `AskAgain` opens the intent again, under the same number.

A stream with facts of its own (a payment, which its buyer settles) is also an intent if it records its number first and
has its `Provider` asked by `outcome_of`.
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
"""About 10 hours until an unanswered intent is given up."""


def number_of(source: str, step: str) -> str:
    """The number for the step `step` of `source` (an event's id, for example): 32 letters and digits, always the
    same."""
    return uuid.uuid5(_NAMESPACE, f"{source}/{step}").hex


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a number at its provider; `detail` is the provider's reference or reason, without personal
    data."""

    status: Literal["succeeded", "failed"]
    detail: str


Request = TypeVar("Request")
Told = TypeVar("Told")
Request_contra = TypeVar("Request_contra", contravariant=True)
Told_co = TypeVar("Told_co", covariant=True)


class Provider(Protocol[Request_contra, Told_co]):
    """An outside provider that acts once for a number, however often it is asked. The types of its requests and answers
    are shared with its callers."""

    async def execute(self, number: str, request: Request_contra) -> Told_co:
        """Do it, or return its outcome. Raises `OutcomeUnknown`, also while the provider is still at work and has no
        answer type for that."""

    async def query(self, number: str) -> Told_co | None:
        """The outcome; None if the provider never heard of the number. Raises `OutcomeUnknown` as `execute` does."""


async def outcome_of(provider: Provider[Request, Told], number: str, request: Request, *, asked_before: bool) -> Told:
    """The outcome of a number. If the provider may have been asked before, it is queried first, and asked to act only
    if it does not know the number. Raises `OutcomeUnknown`."""
    known = await provider.query(number) if asked_before else None
    return await provider.execute(number, request) if known is None else known


AnyProvider = Provider[Mapping[str, Any], Answer]
"""A provider of plain intents (streams without facts of their own)."""


@dataclass(frozen=True, slots=True)
class RecordIntent:
    """Ask the provider with this name. `request` holds JSON-able values, none of them personal."""

    provider: str
    request: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordAnswer:
    """The provider has answered. None: it has not, and is not asked any more."""

    answer: Answer | None


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Open an intent again whose outcome stayed unknown."""


@dataclass(frozen=True, slots=True)
class IntentRecorded:
    """The provider is to be asked."""

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
    """It is not known whether the provider did it, and it is not asked any more: an operator must look."""

    provider: str


@dataclass(frozen=True, slots=True)
class IntentReopened:
    """The provider is to be queried again for the outcome."""

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
    """The present state of an intent. `reopened` says that the provider may know of it from before."""

    status: Literal["absent", "open", "succeeded", "failed", "unanswered"] = "absent"
    provider: str = ""
    request: dict[str, Any] | None = None
    reopened: bool = False


def decide(command: IntentCommand, state: Intent) -> Sequence[IntentEvent]:
    """Raises `NotFound`, and `WrongState` for another request under the number or another answer than the recorded one.
    Repetition records nothing."""
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
    """Open until it is answered or given up. An answer is final."""
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
    """The handler that asks the providers, by name. An intent whose provider is missing here is refused, and waits."""

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
