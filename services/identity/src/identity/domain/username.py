"""Usernames are unique: each has its own stream, named by a keyed hash, which only one member can claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eventfold import Decider, StreamType
from eventfold.errors import AlreadyExists


@dataclass(frozen=True, slots=True)
class ClaimUsername:
    """Take the name for a member."""

    member_id: str


@dataclass(frozen=True, slots=True)
class UsernameClaimed:
    """The name belongs to a member."""

    member_id: str


def decide(command: ClaimUsername, owner: str | None) -> Sequence[UsernameClaimed]:
    """The first member to ask gets the name. If the same member asks again, nothing changes."""
    if owner is None:
        return [UsernameClaimed(command.member_id)]
    if owner != command.member_id:
        raise AlreadyExists("this username is taken", field="username")
    return []


def evolve(owner: str | None, event: UsernameClaimed) -> str | None:
    """The owner after one event."""
    return event.member_id


USERNAME: StreamType[ClaimUsername, str | None, UsernameClaimed] = StreamType("username", Decider(None, decide, evolve))
