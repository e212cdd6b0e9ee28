"""Who is a member since when, and what content there is since when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from eventfold.readmodel import Changes, Draft, Key, Projection, PublicRecord, ReadTable, Rows

TOPICS: Final = ("lyceum.identity.member", "lyceum.catalog.content")
REGISTERED: Final = "lyceum.identity.member.registered.v1"
ROLE_GRANTED: Final = "lyceum.identity.member.role_granted.v1"
PUBLISHED: Final = "lyceum.catalog.content.published.v1"
COMMUNITY_ROLES: Final = ("consumer", "creator")
"""Accounts of these roles are the members that the metrics count; operators' accounts are not."""


class MemberRow(NamedTuple):
    """An account, its present role and when it came to be."""

    member_id: str
    role: str
    registered_at: datetime


class ContentRow(NamedTuple):
    """Content and when it was first published."""

    content_id: str
    published_at: datetime


MEMBERS: Final = ReadTable("member", MemberRow)
CONTENTS: Final = ReadTable("content", ContentRow)


def keys(events: Sequence[PublicRecord]) -> Mapping[str, list[Key]]:
    """Rows that the events touch."""
    return {
        MEMBERS.name: [(event.data["member_id"],) for event in events if event.type in (REGISTERED, ROLE_GRANTED)],
        CONTENTS.name: [(event.data["content_id"],) for event in events if event.type == PUBLISHED],
    }


def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """A member's facts share a stream, so they arrive in order; a role follows the registration."""
    draft = Draft(rows)
    for event in events:
        data = event.data
        if event.type == REGISTERED:
            draft.put(MEMBERS, MemberRow(data["member_id"], data["role"], data["registered_at"]))
        elif event.type == ROLE_GRANTED and (row := draft.get(MEMBERS, (data["member_id"],))):
            draft.put(MEMBERS, row._replace(role=data["role"]))
        elif event.type == PUBLISHED:
            known = draft.get(CONTENTS, (data["content_id"],))
            first_at = min(known.published_at, data["published_at"]) if known else data["published_at"]
            draft.put(CONTENTS, ContentRow(data["content_id"], first_at))
    return draft.changes()


REGISTRY: Final = Projection("registry", TOPICS, (MEMBERS, CONTENTS), keys, fold)
