"""What is told to the world about accounts, and the directory that is folded from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.avro import AvroCodec
from eventfold.decider import Recorded
from eventfold.publish import Publisher, rfc3339
from eventfold.readmodel import KeptRecord, PublicRecord
from eventfold.sealing import Sealed
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
from identity.projections.directory import MEMBERS, TOPIC, MemberRow, fold, keys

AT = datetime(1998, 1, 2, tzinfo=UTC)
SECRET = "Secret-7f3a"
BOX = Sealed("m1", "username", SECRET)
REGISTERED = MemberRegistered("consumer", BOX, BOX, BOX, BOX)
PUBLIC = [REGISTERED, MemberClaimed(BOX), RoleGranted("importer", "consumer")]
PRIVATE = [
    ClaimCodeIssued(SECRET, AT), ClaimCodeMissed(), PasswordRehashed(BOX), UsernameClaimed("m1"),
    SessionStarted("m1", SECRET, AT), SessionRefreshed(SECRET, AT), SessionRevoked("reused"),
]  # fmt: skip


def stored(event: object) -> Recorded:
    return Recorded("member-m1", 1, event, CODEC.types[type(event)][0], "m1", AT, AT, seq=1)


@pytest.mark.parametrize("event", PUBLIC, ids=lambda event: type(event).__name__)
def test_no_byte_of_a_public_record_is_personal_or_secret(event: object) -> None:
    record = Publisher("/lyceum/identity", to_public, AvroCodec()).encode(stored(event))
    assert record is not None and record.topic == TOPIC and record.key == b"m1"
    wire = record.value + b"".join(name.encode() + value for name, value in record.headers)
    assert SECRET.encode() not in wire


@pytest.mark.parametrize("event", PRIVATE, ids=lambda event: type(event).__name__)
def test_codes_hashes_names_and_sessions_stay_private(event: object) -> None:
    assert to_public(stored(event)) is None


def test_every_stored_event_is_either_public_or_private_on_purpose() -> None:
    assert {type(event) for event in [*PUBLIC, *PRIVATE]} == set(CODEC.types)


def test_the_date_of_an_imported_account_is_the_business_date() -> None:
    public = to_public(stored(MemberRegistered("creator", BOX, None, None, None)))
    assert public is not None
    assert public.data == {"member_id": "m1", "role": "creator", "claimed": False, "registered_at": AT}


def record(seq: int, action: str, member: str, **data: Any) -> PublicRecord:
    headers = {"ce_id": f"e{seq}", "ce_type": f"{TOPIC}.{action}.v1", "ce_sequence": str(seq), "ce_time": rfc3339(AT)}
    kept = KeptRecord(seq, member.encode(), b"", [(name, value.encode()) for name, value in headers.items()])
    return PublicRecord(TOPIC, 0, kept, {"member_id": member, **data})


def history(member: str, first: int) -> list[PublicRecord]:
    return [
        record(first, "registered", member, role="consumer", claimed=False, registered_at=AT),
        record(first + 1, "claimed", member, claimed_at=AT),
        record(first + 2, "role_granted", member, role="importer", previous="consumer", granted_at=AT),
    ]


def folded(batches: Sequence[Sequence[PublicRecord]]) -> dict[Any, Any]:
    table: dict[Any, Any] = {}
    for batch in batches:
        rows = {key: table[key] for key in keys(batch)[MEMBERS.name] if key in table}
        table.update(fold({MEMBERS.name: rows}, batch).get(MEMBERS.name, {}))
    return table


@given(st.lists(st.integers(0, 2), max_size=9), st.integers(1, 4))
def test_members_interleave_and_batches_are_cut_anywhere(order: list[int], size: int) -> None:
    """Given three members' histories, however they interleave and are cut, then the directory is the same."""
    waiting = [history(f"m{n}", 10 * n) for n in range(3)]
    events = [waiting[n].pop(0) for n in order if waiting[n]]
    events += [event for rest in waiting for event in rest]
    table = folded([events[at : at + size] for at in range(0, len(events), size)])
    assert table == {(f"m{n}",): MemberRow(f"m{n}", "importer", True, AT) for n in range(3)}
