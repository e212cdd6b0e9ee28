"""One answer that a member was shown: a stream of one event for each answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from eventfold import Decider, Stored, StreamType


@dataclass(frozen=True, slots=True)
class ShownItem:
    """Content at its place. `source`: the part of the model to which it owes the place. `propensity`: the probability
    with which the policy puts it there."""

    content_id: str
    source: str
    score: float
    propensity: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A member was shown these items, best first."""

    slot: str
    method: str
    model_version: str
    experiment: str | None
    arm: str | None
    personalised: bool
    items: tuple[ShownItem, ...]


@dataclass(frozen=True, slots=True)
class Show:
    """Record that an answer was given."""

    shown: Shown


class Impression(NamedTuple):
    """One answer to one member, not recorded yet. `at` is when it was given."""

    member_id: str
    answer_id: str
    at: datetime
    shown: Shown


def decide(command: Show, state: bool) -> Sequence[Shown]:
    """An answer is given once."""
    return [] if state else [command.shown]


def evolve(state: bool, event: Shown) -> bool:
    """Whether the answer was given."""
    return True


def answer_stream(member_id: str, answer_id: str) -> str:
    """The stream id of an answer to a member."""
    return f"{member_id}/{answer_id}"


def member_of(stream_id: str) -> str:
    """The member of a stream id: a member's impressions share a partition."""
    return stream_id.split("/", 1)[0]


def answer_of(stream_id: str) -> str:
    """The answer's id of a stream id."""
    return stream_id.split("/", 1)[1]


IMPRESSION: Final[StreamType[Show, bool, Shown]] = StreamType(
    "impression", Decider(False, decide, evolve), partition_key=member_of
)

EVENTS: Final[Stored] = {Shown: ("impression.shown", 1)}
