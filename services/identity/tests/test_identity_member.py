"""Decisions about accounts and usernames: given events, when a command comes, then events or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from eventfold import Sealed
from eventfold.errors import AlreadyExists, NotFound, WrongState
from identity.domain.codec import CODEC
from identity.domain.member import (
    CODE_PAUSE,
    MAX_CODES,
    MEMBER,
    ClaimCodeIssued,
    ClaimCodeMissed,
    ClaimMember,
    Command,
    Event,
    GrantRole,
    IssueClaimCode,
    MemberClaimed,
    MemberRegistered,
    PasswordRehashed,
    RegisterMember,
    RehashPassword,
    RoleGranted,
    WrongCode,
)
from identity.domain.username import USERNAME, ClaimUsername, UsernameClaimed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=10)
NAME = Sealed("m1", "username", "box")


def box(content: str) -> Sealed:
    return Sealed("m1", "password_hash", content)


HASH, NEW_HASH = box("hash"), box("new hash")
REGISTERED = MemberRegistered("consumer", NAME, None, None, HASH)
IMPORTED = MemberRegistered("consumer", NAME, None, None, None)
ISSUED = ClaimCodeIssued("right", SOON)


def when(given: Sequence[Event], command: Command) -> list[Event]:
    decider = MEMBER.decider
    return list(decider.decide(command, decider.fold(given)))


def claim(code: str = "right", now: datetime = NOW) -> ClaimMember:
    return ClaimMember(code, NEW_HASH, now)


def test_a_registration_opens_the_account_once() -> None:
    command = RegisterMember("consumer", NAME, None, None, HASH)
    assert when([], command) == [REGISTERED]
    assert when([REGISTERED], command) == []


@pytest.mark.parametrize(
    "command", [IssueClaimCode("c", SOON, NOW), claim(), RehashPassword(HASH), GrantRole("importer")], ids=repr
)
def test_nothing_but_a_registration_addresses_an_account_that_is_not_there(command: Command) -> None:
    with pytest.raises(NotFound):
        when([], command)


def test_the_right_code_claims_the_account() -> None:
    assert when([IMPORTED, ISSUED], claim()) == [MemberClaimed(NEW_HASH)]


@pytest.mark.parametrize("given", [[IMPORTED], [IMPORTED, ISSUED], [IMPORTED, ISSUED, ClaimCodeMissed()]], ids=len)
def test_a_wrong_code_claims_nothing_and_leaves_no_event(given: list[Event]) -> None:
    with pytest.raises(WrongCode):
        when(given, claim("wrong"))


def test_no_number_of_wrong_codes_locks_the_owner_out() -> None:
    misses: list[Event] = [ClaimCodeMissed()] * 100
    assert when([IMPORTED, ISSUED, *misses], claim()) == [MemberClaimed(NEW_HASH)]


def test_a_code_ends_at_its_time() -> None:
    assert when([IMPORTED, ISSUED], claim(now=SOON - timedelta(microseconds=1))) == [MemberClaimed(NEW_HASH)]
    with pytest.raises(WrongCode):
        when([IMPORTED, ISSUED], claim(now=SOON))


def issue(now: datetime) -> IssueClaimCode:
    return IssueClaimCode(f"{now}", now + (SOON - NOW), now)


def test_whoever_asks_for_codes_neither_floods_the_owner_nor_voids_their_code() -> None:
    """Given somebody who asks every second for as long as a code lives, then few are sent, a minute apart, and the
    first is good to its end."""
    given: list[Event] = [IMPORTED]
    sent: list[datetime] = []
    for second in range(int((SOON - NOW).total_seconds())):
        events = when(given, issue(at := NOW + timedelta(seconds=second)))
        given += events
        sent += [at] * len(events)
    assert sent == [NOW + CODE_PAUSE * n for n in range(MAX_CODES)]
    last = SOON - timedelta(microseconds=1)
    assert when(given, claim(f"{NOW}", last)) == [MemberClaimed(NEW_HASH)]
    assert when(given, issue(SOON)) != []


@pytest.mark.parametrize("given", [[REGISTERED], [IMPORTED, ISSUED, MemberClaimed(HASH)]])
@pytest.mark.parametrize("command", [claim(), IssueClaimCode("c", SOON, NOW)], ids=repr)
def test_an_account_with_a_password_is_not_claimed_again(given: list[Event], command: Command) -> None:
    with pytest.raises(WrongState):
        when(given, command)


def test_a_role_is_granted_once_and_remembers_the_one_before() -> None:
    assert when([REGISTERED], GrantRole("importer")) == [RoleGranted("importer", "consumer")]
    assert when([REGISTERED, RoleGranted("importer", "consumer")], GrantRole("importer")) == []


def test_only_an_account_with_a_password_is_rehashed() -> None:
    assert when([REGISTERED], RehashPassword(NEW_HASH)) == [PasswordRehashed(NEW_HASH)]
    assert when([IMPORTED], RehashPassword(NEW_HASH)) == []


def test_a_username_belongs_to_the_first_who_takes_it() -> None:
    decider = USERNAME.decider
    assert list(decider.decide(ClaimUsername("m1"), None)) == [UsernameClaimed("m1")]
    taken = decider.fold([UsernameClaimed("m1")])
    assert list(decider.decide(ClaimUsername("m1"), taken)) == []
    with pytest.raises(AlreadyExists) as refused:
        decider.decide(ClaimUsername("m2"), taken)
    assert refused.value.field == "username"


@pytest.mark.parametrize(
    "event",
    [
        REGISTERED,
        IMPORTED,
        ISSUED,
        ClaimCodeMissed(),
        MemberClaimed(HASH),
        PasswordRehashed(HASH),
        RoleGranted("importer", "consumer"),
        UsernameClaimed("m1"),
    ],
    ids=repr,
)
def test_events_come_back_from_the_store_as_they_went(event: object) -> None:
    assert CODEC.decode(*CODEC.encode(event)) == event
