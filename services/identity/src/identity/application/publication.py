"""From private events to public ones. Names, contacts, hashes and sessions stay private."""

from __future__ import annotations

from contracts.events import identity as public
from eventfold import PublicEvent, Recorded
from identity.domain.member import MemberClaimed, MemberRegistered, RoleGranted


def to_public(recorded: Recorded) -> PublicEvent | None:
    """The public form of an event, if it has one."""
    member_id, at = recorded.partition_key, recorded.occurred_at
    match recorded.event:
        case MemberRegistered() as event:
            claimed = event.password_hash is not None
            return public.MEMBER_REGISTERED(
                {"member_id": member_id, "role": event.role, "claimed": claimed, "registered_at": at}
            )
        case MemberClaimed():
            return public.MEMBER_CLAIMED({"member_id": member_id, "claimed_at": at})
        case RoleGranted(role, previous):
            return public.MEMBER_ROLE_GRANTED(
                {"member_id": member_id, "role": role, "previous": previous, "granted_at": at}
            )
        case _:
            return None
