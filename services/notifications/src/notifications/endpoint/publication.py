"""From private events of endpoints to public ones, which name no address, no description and no secret."""

from __future__ import annotations

from typing import TypedDict

from contracts.events import notifications as public
from eventfold import PublicEvent, Recorded
from notifications.endpoint.domain import (
    EndpointChanged,
    EndpointDisabled,
    EndpointEnabled,
    EndpointRegistered,
    EndpointRemoved,
    SecretEnded,
    SecretRotated,
)


def to_public(recorded: Recorded) -> PublicEvent | None:
    """The public form of an event of this slice."""
    event, at = recorded.event, recorded.occurred_at
    match event:
        case EndpointRegistered() | EndpointChanged():
            return _told(recorded)
        case SecretRotated(previous_ends_at=ends_at):
            return public.ENDPOINT_SECRET_ROTATED({**_whose(recorded), "previous_ends_at": ends_at, "rotated_at": at})
        case SecretEnded():
            return public.ENDPOINT_SECRET_ENDED({**_whose(recorded), "ended_at": at})
        case EndpointDisabled(reason=reason):
            return public.ENDPOINT_DISABLED({**_whose(recorded), "reason": reason, "disabled_at": at})
        case EndpointEnabled():
            return public.ENDPOINT_ENABLED({**_whose(recorded), "enabled_at": at})
        case EndpointRemoved():
            return public.ENDPOINT_REMOVED({**_whose(recorded), "removed_at": at})
        case _:
            return None


class _Whose(TypedDict):
    endpoint_id: str
    member_id: str


def _whose(recorded: Recorded) -> _Whose:
    return {"endpoint_id": recorded.partition_key, "member_id": recorded.event.member_id}


def _told(recorded: Recorded) -> PublicEvent:
    event, at = recorded.event, recorded.occurred_at
    if isinstance(event, EndpointRegistered):
        return public.ENDPOINT_REGISTERED(
            {**_whose(recorded), "scope": event.scope, "types": [*event.types], "registered_at": at}
        )
    previous = [*event.previous_types]
    return public.ENDPOINT_CHANGED(
        {**_whose(recorded), "types": [*event.types], "previous_types": previous, "changed_at": at}
    )
