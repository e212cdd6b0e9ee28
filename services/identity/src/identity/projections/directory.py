"""The member directory: members, their roles, and whether they are claimed. No personal fields."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from contracts.events import identity as public
from eventfold import ReadTable, always, on, projection, puts, sets


class MemberRow(NamedTuple):
    """One member."""

    member_id: str
    role: str
    claimed: bool
    registered_at: datetime


MEMBERS = ReadTable("member_directory", MemberRow)


# All events of a member are on one partition, so the registration comes first.
DIRECTORY = projection(
    "member_directory",
    puts(MEMBERS, public.MEMBER_REGISTERED),
    on(MEMBERS, public.MEMBER_CLAIMED, sets(claimed=always(True)), known_only=True),
    on(MEMBERS, public.MEMBER_ROLE_GRANTED, sets(role="role"), known_only=True),
    partition_local=True,
)
