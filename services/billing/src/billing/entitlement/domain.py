"""Entitlements: that a member may use a product."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from eventfold import Decider, Stored, StreamType

_NAMESPACE = uuid.UUID("c1d0a6c8-54f4-5b50-b1fb-0d5f6c2f7a93")

Source = Literal["purchase", "import", "gift"]


def entitlement_id_of(order_id: str) -> str:
    """The entitlement that an order grants."""
    return str(uuid.uuid5(_NAMESPACE, order_id))


@dataclass(frozen=True, slots=True)
class GrantEntitlement:
    """Let a member use a product, for ever."""

    entitlement_id: str
    member_id: str
    product_id: str
    source: Source
    order_id: str


@dataclass(frozen=True, slots=True)
class EntitlementGranted:
    """A member may use a product."""

    entitlement_id: str
    member_id: str
    product_id: str
    source: Source
    order_id: str


@dataclass(frozen=True, slots=True)
class Entitlement:
    """An entitlement as it stands."""

    granted: EntitlementGranted | None = None


def decide(command: GrantEntitlement, state: Entitlement) -> Sequence[EntitlementGranted]:
    """Granting again does nothing; it is never refused."""
    if state.granted is not None:
        return []
    return [
        EntitlementGranted(
            entitlement_id=command.entitlement_id,
            member_id=command.member_id,
            product_id=command.product_id,
            source=command.source,
            order_id=command.order_id,
        )
    ]


def evolve(_: Entitlement, event: EntitlementGranted) -> Entitlement:
    """Granted."""
    return Entitlement(event)


ENTITLEMENT = StreamType("entitlement", Decider(Entitlement(), decide, evolve))

EVENTS: Final[Stored] = {EntitlementGranted: ("entitlement.granted", 1)}
