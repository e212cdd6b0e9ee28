"""The slice of endpoints."""

from __future__ import annotations

from typing import Final

from notifications.endpoint.application import Registering
from notifications.endpoint.domain import EVENTS
from notifications.endpoint.projections import GROUPS
from notifications.endpoint.publication import to_public
from notifications.endpoint.queries import Endpoints
from notifications.endpoint.rpc import POLICIES, EndpointRpcs
from notifications.guard import Guard
from notifications.secrets import Secrets
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> EndpointRpcs:
    """What the slice serves."""
    secrets = Secrets(wiring.pool, wiring.subject_keys)
    registering = Registering(wiring.store, wiring.pool, wiring.subject_keys, secrets)
    guard = Guard(allow_local=wiring.settings.webhooks_allow_local)
    wiring.closing.add("resolving of webhooks", guard.aclose)
    return EndpointRpcs(wiring.store, registering, Endpoints(wiring.queries), guard, wiring.settings)


ENDPOINT: Final = Slice(events=EVENTS, to_public=to_public, groups=GROUPS, policies=POLICIES, rpcs=rpcs)
