"""A member: registered with a password, or imported and claimed later with a one-time code.

Password hashes are sealed like personal fields: decisions need to know whether there is a hash, never its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, assert_never

from eventfold import Decider, Sealed, StreamType
from eventfold.errors import NotFound, NotPermitted, WrongState

ADMIN = "admin"
ROLES = ("consumer", "creator", "importer", "auditor", ADMIN)
MAX_CODES = 3
"""Codes of an account that are valid at once. While there are so many, its owner has them, and no more are sent."""
CODE_PAUSE = timedelta(seconds=60)
"""The least time between two codes of an account."""
WRONG_CODE = "the code is wrong, used up or expired 验证码错误或已过期"


class WrongCode(WrongState):
    """The one-time code is wrong, used up or expired; the same answer for every reason."""

    code = "WRONG_CODE"


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
    now: datetime


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
    """Somebody presented a wrong or expired code. No longer recorded: who guesses must not be able to lock the owner
    out, nor to fill the store."""


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


class Code(NamedTuple):
    """The keyed hash of a one-time code that went out, and until when it is valid."""

    code_hash: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """The state that decisions about a member need."""

    role: str
    username: Sealed
    email: Sealed | None
    phone: Sealed | None
    password_hash: Sealed | None
    codes: tuple[Code, ...] = ()


def decide(command: Command, state: Member | None) -> Sequence[Event]:
    """Repeating a registration or grant records nothing. Raises `WrongCode`, `WrongState`, `NotFound`."""
    if isinstance(command, RegisterMember):
        return [] if state else [_registered(command)]
    if state is None:
        raise NotFound("there is no such member")
    match command:
        case IssueClaimCode():
            _require_unclaimed(state)
            return [ClaimCodeIssued(command.code_hash, command.expires_at)] if _may_send(command, state) else []
        case ClaimMember():
            _require_unclaimed(state)
            if not _code_fits(command, state):
                raise WrongCode(WRONG_CODE, field="code")
            return [MemberClaimed(command.password_hash)]
        case RehashPassword(password_hash):
            return [PasswordRehashed(password_hash)] if state.password_hash is not None else []
        case GrantRole(role):
            return [] if role == state.role else [RoleGranted(role, state.role)]
        case _:
            assert_never(command)


def check_granter(granter_id: str, granter: Member | None, member_id: str) -> None:
    """Raise `NotPermitted` unless this member may change the role of `member_id`: an admin as it stands now, whatever
    an older token says, and not its own. So the last admin takes the role from nobody."""
    if granter is None or granter.role != ADMIN:
        raise NotPermitted("roles are granted by admins only", member_id=granter_id)
    if granter_id == member_id:
        raise NotPermitted("nobody changes their own role", field="member_id", member_id=granter_id)


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


def _may_send(command: IssueClaimCode, state: Member) -> bool:
    """Codes live equally long, so the newest ends last: it tells when it was sent."""
    lifetime = command.expires_at - command.now
    newest = state.codes[-1].expires_at - lifetime if state.codes else None
    valid = [code for code in state.codes if command.now < code.expires_at]
    return len(valid) < MAX_CODES and (newest is None or command.now - newest >= CODE_PAUSE)


def _code_fits(command: ClaimMember, state: Member) -> bool:
    return any(command.code_hash == code.code_hash and command.now < code.expires_at for code in state.codes)


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
            return replace(state, codes=(*state.codes, Code(code_hash, expires_at))[-MAX_CODES:])
        case ClaimCodeMissed():
            return state
        case MemberClaimed(password_hash):
            return replace(state, password_hash=password_hash, codes=())
        case PasswordRehashed(password_hash):
            return replace(state, password_hash=password_hash)
        case RoleGranted(role):
            return replace(state, role=role)
        case _:
            assert_never(event)


MEMBER: StreamType[Command, Member | None, Event] = StreamType("member", Decider(None, decide, evolve))
