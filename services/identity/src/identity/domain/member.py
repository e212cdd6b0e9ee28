"""A member: registered with a password, or imported and claimed later with a one-time code.

Password hashes are sealed like personal fields: decisions need to know whether there is a hash, never its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from eventfold import Decider, Sealed, StreamType
from eventfold.errors import NotFound, WrongState

ROLES = ("consumer", "creator", "importer", "auditor", "admin")
MAX_CODE_TRIES = 5


@dataclass(frozen=True, slots=True)
class RegisterMember:
    """Create the account. Without `password_hash` it is unclaimed and cannot log in."""

    role: str
    username: Sealed
    email: Sealed | None
    phone: Sealed | None
    password_hash: Sealed | None


@dataclass(frozen=True, slots=True)
class IssueClaimCode:
    """Give an unclaimed account a new one-time code. The command holds only the code's keyed hash."""

    code_hash: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ClaimMember:
    """Set the password of an unclaimed account; the caller presents its code."""

    code_hash: str
    password_hash: Sealed
    now: datetime


@dataclass(frozen=True, slots=True)
class RehashPassword:
    """Store the same password's hash with stronger parameters."""

    password_hash: Sealed


@dataclass(frozen=True, slots=True)
class GrantRole:
    """Give the member another role."""

    role: str


Command = RegisterMember | IssueClaimCode | ClaimMember | RehashPassword | GrantRole


@dataclass(frozen=True, slots=True)
class MemberRegistered:
    """The account exists."""

    role: str
    username: Sealed
    email: Sealed | None
    phone: Sealed | None
    password_hash: Sealed | None


@dataclass(frozen=True, slots=True)
class ClaimCodeIssued:
    """A one-time code was issued."""

    code_hash: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ClaimCodeMissed:
    """A caller presented a wrong or expired code."""


@dataclass(frozen=True, slots=True)
class MemberClaimed:
    """The unclaimed account has a password now."""

    password_hash: Sealed


@dataclass(frozen=True, slots=True)
class PasswordRehashed:
    """The same password's hash was stored with stronger parameters."""

    password_hash: Sealed


@dataclass(frozen=True, slots=True)
class RoleGranted:
    """The member has another role."""

    role: str
    previous: str


Event = MemberRegistered | ClaimCodeIssued | ClaimCodeMissed | MemberClaimed | PasswordRehashed | RoleGranted


@dataclass(frozen=True, slots=True)
class Member:
    """The state that decisions about a member need."""

    role: str
    username: Sealed
    email: Sealed | None
    phone: Sealed | None
    password_hash: Sealed | None
    code_hash: str | None = None
    code_expires_at: datetime | None = None
    code_tries: int = 0


def decide(command: Command, state: Member | None) -> Sequence[Event]:
    """The events of a command. A repeated registration, claim or grant records nothing."""
    if isinstance(command, RegisterMember):
        return [] if state else [_registered(command)]
    if state is None:
        raise NotFound("there is no such member")
    match command:
        case IssueClaimCode(code_hash, expires_at):
            _require_unclaimed(state)
            return [ClaimCodeIssued(code_hash, expires_at)]
        case ClaimMember():
            _require_unclaimed(state)
            return [MemberClaimed(command.password_hash)] if _code_fits(command, state) else [ClaimCodeMissed()]
        case RehashPassword(password_hash):
            return [PasswordRehashed(password_hash)] if state.password_hash is not None else []
        case GrantRole(role):
            return [] if role == state.role else [RoleGranted(role, state.role)]
        case _:
            assert_never(command)


def _registered(command: RegisterMember) -> MemberRegistered:
    return MemberRegistered(
        role=command.role,
        username=command.username,
        email=command.email,
        phone=command.phone,
        password_hash=command.password_hash,
    )


def _require_unclaimed(state: Member) -> None:
    if state.password_hash is not None:
        raise WrongState("the account has been claimed already")


def _code_fits(command: ClaimMember, state: Member) -> bool:
    in_time = state.code_expires_at is not None and command.now < state.code_expires_at
    return in_time and state.code_tries < MAX_CODE_TRIES and command.code_hash == state.code_hash


def evolve(state: Member | None, event: Event) -> Member | None:
    """State after one event."""
    if isinstance(event, MemberRegistered):
        return Member(
            role=event.role,
            username=event.username,
            email=event.email,
            phone=event.phone,
            password_hash=event.password_hash,
        )
    if state is None:
        return None
    match event:
        case ClaimCodeIssued(code_hash, expires_at):
            return replace(state, code_hash=code_hash, code_expires_at=expires_at, code_tries=0)
        case ClaimCodeMissed():
            return replace(state, code_tries=state.code_tries + 1)
        case MemberClaimed(password_hash):
            return replace(state, password_hash=password_hash, code_hash=None, code_expires_at=None)
        case PasswordRehashed(password_hash):
            return replace(state, password_hash=password_hash)
        case RoleGranted(role):
            return replace(state, role=role)
        case _:
            assert_never(event)


MEMBER: StreamType[Command, Member | None, Event] = StreamType("member", Decider(None, decide, evolve))
