"""The member directory: who there is, in which role, claimed or not. No personal fields."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from eventfold.readmodel import Changes, Draft, Key, Projection, PublicRecord, ReadTable, Rows

TOPIC = "lyceum.identity.member"


class MemberRow(NamedTuple):
    """One member."""

    member_id: str
    role: str
    claimed: bool
    registered_at: datetime


MEMBERS = ReadTable("member_directory", MemberRow)


def keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    """Rows that the events touch."""
    return {MEMBERS.name: [(event.data["member_id"],) for event in events]}


def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """All events of a member share a partition, so registration comes first."""
    draft = Draft(rows)
    for event in events:
        data = event.data
        row = draft.get(MEMBERS, (data["member_id"],))
        if event.type == f"{TOPIC}.registered.v1":
            draft.put(MEMBERS, MemberRow(data["member_id"], data["role"], data["claimed"], data["registered_at"]))
        elif row is not None and event.type == f"{TOPIC}.claimed.v1":
            draft.put(MEMBERS, row._replace(claimed=True))
        elif row is not None and event.type == f"{TOPIC}.role_granted.v1":
            draft.put(MEMBERS, row._replace(role=data["role"]))
    return draft.changes()


DIRECTORY = Projection("member_directory", (TOPIC,), (MEMBERS,), keys, fold, partition_local=True)
