"""Public events of notifications. Generated from schemas/avro by `make generate`."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict

from eventfold import PublicType


class EndpointChanged(TypedDict):
    """The address, its description or the types changed; the address itself is not public."""

    endpoint_id: str
    member_id: str
    """Whose endpoint it is."""
    types: list[str]
    """The types that are told from now on."""
    previous_types: list[str]
    changed_at: datetime


class EndpointDisabled(TypedDict):
    """Nothing is sent to the endpoint until it is enabled."""

    endpoint_id: str
    member_id: str
    """Whose endpoint it is."""
    reason: str
    """asked (by a person), gone (it answered 410), or silent (nothing arrived for days)."""
    disabled_at: datetime


class EndpointEnabled(TypedDict):
    """What happens from now on is sent again."""

    endpoint_id: str
    member_id: str
    """Whose endpoint it is."""
    enabled_at: datetime


class EndpointRegistered(TypedDict):
    """A member named an address that is to be told of events. The address itself is not public."""

    endpoint_id: str
    member_id: str
    """Whose endpoint it is."""
    scope: str
    """own: what concerns the member; all: what concerns anybody (admins only)."""
    types: list[str]
    """The types of events that are told, as order.paid."""
    registered_at: datetime


class EndpointRemoved(TypedDict):
    """The endpoint is gone; its deliveries and secrets are deleted."""

    endpoint_id: str
    member_id: str
    """Whose endpoint it is."""
    removed_at: datetime


class EndpointSecretEnded(TypedDict):
    """The previous secret signs no longer."""

    endpoint_id: str
    member_id: str
    """Whose endpoint it is."""
    ended_at: datetime


class EndpointSecretRotated(TypedDict):
    """A new secret signs from now on; the previous one signs beside it until `previous_ends_at`."""

    endpoint_id: str
    member_id: str
    """Whose endpoint it is."""
    previous_ends_at: datetime
    rotated_at: datetime


class InboxRead(TypedDict):
    """A member has seen their notifications up to a moment."""

    member_id: str
    read_up_to_at: datetime
    """Notifications of this time and before are read."""
    previous_read_up_to_at: datetime | None
    """Null: none was read before."""


ENDPOINT_CHANGED: Final = PublicType("lyceum.notifications.endpoint.changed.v1", EndpointChanged)
ENDPOINT_DISABLED: Final = PublicType("lyceum.notifications.endpoint.disabled.v1", EndpointDisabled)
ENDPOINT_ENABLED: Final = PublicType("lyceum.notifications.endpoint.enabled.v1", EndpointEnabled)
ENDPOINT_REGISTERED: Final = PublicType("lyceum.notifications.endpoint.registered.v1", EndpointRegistered)
ENDPOINT_REMOVED: Final = PublicType("lyceum.notifications.endpoint.removed.v1", EndpointRemoved)
ENDPOINT_SECRET_ENDED: Final = PublicType("lyceum.notifications.endpoint.secret_ended.v1", EndpointSecretEnded)
ENDPOINT_SECRET_ROTATED: Final = PublicType("lyceum.notifications.endpoint.secret_rotated.v1", EndpointSecretRotated)
INBOX_READ: Final = PublicType("lyceum.notifications.inbox.read.v1", InboxRead)

TOPICS: Final = (
    "lyceum.notifications.endpoint",
    "lyceum.notifications.inbox",
)
"""What notifications emits on, without prefix."""
