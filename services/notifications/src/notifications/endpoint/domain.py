"""Endpoints: who may change an address is decided, and recorded. Secrets are elsewhere; here is which of them sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, assert_never

from eventfold import Decider, Sealed, Stored, StreamType
from eventfold.errors import NotFound, WrongState

Scope = Literal["own", "all"]
"""`own`: what concerns the endpoint's member; `all`: what concerns anybody."""
Reason = Literal["asked", "gone", "silent"]
"""Why an endpoint is disabled: somebody asked for it; it answered 410; nothing arrived there for days."""
OVERLAP: Final = timedelta(hours=24)
"""How long the secret before the newest signs, too."""


@dataclass(frozen=True, slots=True)
class RegisterEndpoint:
    """Tell this address. `types` are sorted, each once; `secret_id` names the secret that signs."""

    member_id: str
    scope: Scope
    url: Sealed
    description: Sealed
    types: tuple[str, ...]
    secret_id: str
    now: datetime


@dataclass(frozen=True, slots=True)
class ChangeEndpoint:
    """Replace what is not None."""

    url: Sealed | None
    description: Sealed | None
    types: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class RotateSecret:
    """Let a new secret sign, and the one before it for `OVERLAP` from `now`."""

    secret_id: str
    now: datetime


@dataclass(frozen=True, slots=True)
class EndSecret:
    """Let the secret before the newest sign no longer."""

    now: datetime


@dataclass(frozen=True, slots=True)
class DisableEndpoint:
    """Send nothing more."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class EnableEndpoint:
    """Send again."""


@dataclass(frozen=True, slots=True)
class RemoveEndpoint:
    """Forget it."""


@dataclass(frozen=True, slots=True)
class EndpointRegistered:
    """The address is to be told. It and its description are sealed under the member's key."""

    member_id: str
    scope: Scope
    url: Sealed
    description: Sealed
    types: tuple[str, ...]
    secret_id: str
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class EndpointChanged:
    """All that may change, as it is now."""

    member_id: str
    url: Sealed
    description: Sealed
    types: tuple[str, ...]
    previous_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SecretRotated:
    """`secret_id` signs from now on; the previous one, too, until `previous_ends_at`."""

    member_id: str
    secret_id: str
    previous_ends_at: datetime


@dataclass(frozen=True, slots=True)
class SecretEnded:
    """The previous secret signs no longer."""

    member_id: str
    secret_id: str


@dataclass(frozen=True, slots=True)
class EndpointDisabled:
    """Nothing is sent."""

    member_id: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class EndpointEnabled:
    """What happens is sent again."""

    member_id: str


@dataclass(frozen=True, slots=True)
class EndpointRemoved:
    """It is gone."""

    member_id: str


@dataclass(frozen=True, slots=True)
class Ending:
    """A secret that signs until `ends_at` only."""

    secret_id: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as it stands. `disabled` is the reason, or None where it is sent to."""

    member_id: str
    scope: Scope
    url: Sealed
    description: Sealed
    types: tuple[str, ...]
    secret_id: str
    registered_at: datetime
    ending: Ending | None = None
    disabled: Reason | None = None
    removed: bool = False

    def signing(self, now: datetime) -> tuple[str, ...]:
        """The ids of the secrets that sign at `now`, the newest first."""
        active = self.active_ending(now)
        return (self.secret_id,) if active is None else (self.secret_id, active.secret_id)

    def active_ending(self, now: datetime) -> Ending | None:
        """The previous secret, if it still signs at `now`."""
        return self.ending if self.ending and self.ending.ends_at > now else None


Command = (
    RegisterEndpoint | ChangeEndpoint | RotateSecret | EndSecret | DisableEndpoint | EnableEndpoint | RemoveEndpoint
)
Event = (
    EndpointRegistered
    | EndpointChanged
    | SecretRotated
    | SecretEnded
    | EndpointDisabled
    | EndpointEnabled
    | EndpointRemoved
)
State = Endpoint | None


def owned(state: State, member_id: str, *, by_admin: bool) -> Endpoint:
    """The endpoint, for its owner and admins. Raises `NotFound`: for others there is none."""
    if state is None or state.removed or not (by_admin or state.member_id == member_id):
        raise NotFound("there is no such endpoint", field="endpoint_id")
    return state


class SecretsOverlap(WrongState):
    """Two secrets sign already: end the older one first."""

    code = "SECRETS_OVERLAP"


def decide(command: Command, state: State) -> Sequence[Event]:
    """What is so already records nothing. Raises `NotFound` for an endpoint that is not, or no longer, there, and
    `SecretsOverlap` for a third secret."""
    if isinstance(command, RegisterEndpoint):
        return [] if state else [_registered(command)]
    if state is None:
        raise NotFound("there is no such endpoint", field="endpoint_id")
    if isinstance(command, RemoveEndpoint):
        return [] if state.removed else [EndpointRemoved(state.member_id)]
    if state.removed:
        raise NotFound("there is no such endpoint", field="endpoint_id")
    return _decide(command, state)


def _decide(
    command: ChangeEndpoint | RotateSecret | EndSecret | DisableEndpoint | EnableEndpoint, state: Endpoint
) -> Sequence[Event]:
    match command:
        case ChangeEndpoint():
            return _changed(command, state)
        case RotateSecret(secret_id, now):
            if state.active_ending(now):
                raise SecretsOverlap("two secrets sign at present; end the older one first", field="endpoint_id")
            return [SecretRotated(state.member_id, secret_id, now + OVERLAP)]
        case EndSecret(now):
            ending = state.active_ending(now)
            return [SecretEnded(state.member_id, ending.secret_id)] if ending else []
        case DisableEndpoint(reason):
            return [] if state.disabled else [EndpointDisabled(state.member_id, reason)]
        case EnableEndpoint():
            return [EndpointEnabled(state.member_id)] if state.disabled else []
        case _:
            assert_never(command)


def _registered(command: RegisterEndpoint) -> EndpointRegistered:
    return EndpointRegistered(
        member_id=command.member_id,
        scope=command.scope,
        url=command.url,
        description=command.description,
        types=command.types,
        secret_id=command.secret_id,
        registered_at=command.now,
    )


def _changed(command: ChangeEndpoint, state: Endpoint) -> Sequence[Event]:
    url, description = command.url or state.url, command.description or state.description
    types = state.types if command.types is None else command.types
    if (url, description, types) == (state.url, state.description, state.types):
        return []
    return [EndpointChanged(state.member_id, url, description, types, state.types)]


def evolve(state: State, event: Event) -> State:
    """State after one event."""
    if isinstance(event, EndpointRegistered):
        return Endpoint(
            member_id=event.member_id,
            scope=event.scope,
            url=event.url,
            description=event.description,
            types=event.types,
            secret_id=event.secret_id,
            registered_at=event.registered_at,
        )
    return _evolved(state, event) if state else None


def _evolved(
    state: Endpoint,
    event: EndpointChanged | SecretRotated | SecretEnded | EndpointDisabled | EndpointEnabled | EndpointRemoved,
) -> Endpoint:
    match event:
        case EndpointChanged():
            return replace(state, url=event.url, description=event.description, types=event.types)
        case SecretRotated():
            ending = Ending(state.secret_id, event.previous_ends_at)
            return replace(state, secret_id=event.secret_id, ending=ending)
        case SecretEnded():
            return replace(state, ending=None)
        case EndpointDisabled():
            return replace(state, disabled=event.reason)
        case EndpointEnabled():
            return replace(state, disabled=None)
        case EndpointRemoved():
            return replace(state, removed=True)
        case _:
            assert_never(event)


ENDPOINT: Final[StreamType[Command, State, Event]] = StreamType("endpoint", Decider(None, decide, evolve))

EVENTS: Final[Stored] = {
    EndpointRegistered: ("endpoint.registered", 1),
    EndpointChanged: ("endpoint.changed", 1),
    SecretRotated: ("endpoint.secret_rotated", 1),
    SecretEnded: ("endpoint.secret_ended", 1),
    EndpointDisabled: ("endpoint.disabled", 1),
    EndpointEnabled: ("endpoint.enabled", 1),
    EndpointRemoved: ("endpoint.removed", 1),
}
