"""What is told to the world about accounts, and the directory that is folded from it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.avro import AvroCodec
from contracts.events import identity as public
from eventfold import PublicRecord, Recorded, Sealed
from eventfold.publish.publisher import Publisher
from eventfold.testing import folded, record
from identity.application.publication import to_public
from identity.domain.codec import CODEC
from identity.domain.member import (
    ClaimCodeIssued,
    ClaimCodeMissed,
    MemberClaimed,
    MemberRegistered,
    PasswordRehashed,
    RoleGranted,
)
from identity.domain.session import SessionRefreshed, SessionRevoked, SessionStarted
from identity.domain.username import UsernameClaimed
from identity.projections.directory import DIRECTORY, MEMBERS, MemberRow

AT = datetime(1998, 1, 2, tzinfo=UTC)
SECRET = "Secret-7f3a"
BOX = Sealed("m1", "username", SECRET)
REGISTERED = MemberRegistered("consumer", BOX, BOX, BOX, BOX)
PUBLIC = [REGISTERED, MemberClaimed(BOX), RoleGranted("importer", "consumer")]
PRIVATE = [
    ClaimCodeIssued(SECRET, AT),
    ClaimCodeMissed(),
    PasswordRehashed(BOX),
    UsernameClaimed("m1"),
    SessionStarted("m1", SECRET, AT),
    SessionRefreshed(SECRET, AT),
    SessionRevoked("reused"),
]


def stored(event: object) -> Recorded:
    return Recorded("member-m1", 1, event, CODEC.types[type(event)][0], "m1", AT, AT, seq=1)


@pytest.mark.parametrize("event", PUBLIC, ids=lambda event: type(event).__name__)
def test_no_byte_of_a_public_record_is_personal_or_secret(event: object) -> None:
    sent = Publisher("/lyceum/identity", to_public, AvroCodec()).encode(stored(event))
    assert sent is not None and sent.topic == "lyceum.identity.member" and sent.key == b"m1"
    wire = sent.value + b"".join(name.encode() + value for name, value in sent.headers)
    assert SECRET.encode() not in wire


@pytest.mark.parametrize("event", PRIVATE, ids=lambda event: type(event).__name__)
def test_codes_hashes_names_and_sessions_stay_private(event: object) -> None:
    assert to_public(stored(event)) is None


def test_every_stored_event_is_either_public_or_private_on_purpose() -> None:
    assert {type(event) for event in [*PUBLIC, *PRIVATE]} == set(CODEC.types)


def test_the_date_of_an_imported_account_is_the_business_date() -> None:
    said = to_public(stored(MemberRegistered("creator", BOX, None, None, None)))
    assert said is not None
    assert said.data == {"member_id": "m1", "role": "creator", "claimed": False, "registered_at": AT}


def history(member: str, first: int) -> list[PublicRecord]:
    granted: public.MemberRoleGranted = {
        "member_id": member,
        "role": "importer",
        "previous": "consumer",
        "granted_at": AT,
    }
    return [
        record(
            public.MEMBER_REGISTERED,
            {
                "member_id": member,
                "role": "consumer",
                "claimed": False,
                "registered_at": AT,
            },
            first,
        ),
        record(public.MEMBER_CLAIMED, {"member_id": member, "claimed_at": AT}, first + 1),
        record(public.MEMBER_ROLE_GRANTED, granted, first + 2),
    ]


@given(st.lists(st.integers(0, 2), max_size=9), st.integers(1, 4))
def test_members_interleave_and_batches_are_cut_anywhere(order: list[int], size: int) -> None:
    """Given three members' histories, however they interleave and are cut, then the directory is the same."""
    waiting = [history(f"m{n}", 10 * n) for n in range(3)]
    events = [waiting[n].pop(0) for n in order if waiting[n]]
    events += [event for rest in waiting for event in rest]
    table = folded(DIRECTORY, *(events[at : at + size] for at in range(0, len(events), size)))[MEMBERS.name]
    assert table == {(f"m{n}",): MemberRow(f"m{n}", "importer", True, AT) for n in range(3)}
