"""A session: a family of refresh tokens, of which one is current.

Each refresh replaces the token. Presenting an older one again ends the whole family (RFC 9700, 4.14.2), except for the
immediately previous token within a short grace: the client may never have received the new one, or several of its tabs
may ask at once. The next token follows from the one that is presented, so all of them are given the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from eventfold import Decider, StreamType

GRACE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class StartSession:
    """Begin a family with its first token's hash."""

    member_id: str
    token_hash: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshSession:
    """Replace the presented token by the next."""

    presented_hash: str
    next_hash: str
    now: datetime


@dataclass(frozen=True, slots=True)
class RevokeSession:
    """Log out: end the family of the presented token."""

    presented_hash: str


Command = StartSession | RefreshSession | RevokeSession


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A member logged in."""

    member_id: str
    token_hash: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class SessionRefreshed:
    """The current token was replaced."""

    token_hash: str
    refreshed_at: datetime


@dataclass(frozen=True, slots=True)
class SessionRevoked:
    """The family ended: `logged_out`, or `reused` if an old token was presented."""

    reason: str


Event = SessionStarted | SessionRefreshed | SessionRevoked


@dataclass(frozen=True, slots=True)
class Session:
    """The family's state."""

    member_id: str
    ends_at: datetime
    current_hash: str
    previous_hash: str | None = None
    refreshed_at: datetime | None = None
    revoked: bool = False

    def takes(self, token_hash: str, now: datetime) -> bool:
        """Whether this token is the one to present next."""
        return not self.revoked and now < self.ends_at and token_hash == self.current_hash


def decide(command: Command, state: Session | None) -> Sequence[Event]:
    """The events of a command. A refused refresh records nothing, or the end of the family if a token was reused."""
    if isinstance(command, StartSession):
        return [] if state else [SessionStarted(command.member_id, command.token_hash, command.ends_at)]
    if state is None or state.revoked:
        return []
    match command:
        case RefreshSession():
            return _refreshed(command, state)
        case RevokeSession(presented_hash):
            known = presented_hash in (state.current_hash, state.previous_hash)
            return [SessionRevoked("logged_out")] if known else []
        case _:
            assert_never(command)


def _refreshed(command: RefreshSession, state: Session) -> Sequence[Event]:
    if command.now >= state.ends_at:
        return []
    if _in_grace(command, state) and command.next_hash == state.current_hash:
        return []
    if command.presented_hash == state.current_hash or _in_grace(command, state):
        return [SessionRefreshed(command.next_hash, command.now)]
    return [SessionRevoked("reused")]


def _in_grace(command: RefreshSession, state: Session) -> bool:
    if command.presented_hash != state.previous_hash or state.refreshed_at is None:
        return False
    return command.now - state.refreshed_at <= GRACE


def evolve(state: Session | None, event: Event) -> Session | None:
    """State after one event."""
    if isinstance(event, SessionStarted):
        return Session(event.member_id, event.ends_at, event.token_hash)
    if state is None:
        return None
    match event:
        case SessionRefreshed(token_hash, at):
            return replace(state, previous_hash=state.current_hash, current_hash=token_hash, refreshed_at=at)
        case SessionRevoked():
            return replace(state, revoked=True)
        case _:
            assert_never(event)


SESSION: StreamType[Command, Session | None, Event] = StreamType("session", Decider(None, decide, evolve))
