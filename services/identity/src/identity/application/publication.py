"""From private events to public ones. Names, contacts, hashes and sessions stay private."""

from __future__ import annotations

from eventfold.decider import Recorded
from eventfold.publish import PublicEvent
from identity.domain.member import MemberClaimed, MemberRegistered, RoleGranted

TOPIC = "lyceum.identity.member"


def to_public(recorded: Recorded) -> PublicEvent | None:
    """The public form of an event, if it has one."""
    member_id = recorded.partition_key
    match recorded.event:
        case MemberRegistered() as event:
            data = {"role": event.role, "claimed": event.password_hash is not None}
            return PublicEvent(
                f"{TOPIC}.registered.v1", {"member_id": member_id, **data, "registered_at": recorded.occurred_at}
            )
        case MemberClaimed():
            return PublicEvent(f"{TOPIC}.claimed.v1", {"member_id": member_id, "claimed_at": recorded.occurred_at})
        case RoleGranted(role, previous):
            data = {"role": role, "previous": previous}
            return PublicEvent(
                f"{TOPIC}.role_granted.v1", {"member_id": member_id, **data, "granted_at": recorded.occurred_at}
            )
        case _:
            return None
