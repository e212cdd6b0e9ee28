"""The registry of what may be told. A type that is not here is told to nobody.

What is told has a name of its own, without context and version: `order.paid`. A new major of a public event gets a new
name (`order.paid.v2`) beside the old one, because receivers cannot be upgraded with us.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.events import billing, catalog
from eventfold import PublicType

TEST: Final = "webhook.test"
"""The type of a test delivery: asked for by hand, never subscribed to."""


@dataclass(frozen=True, slots=True)
class Told:
    """A type that may be told. `concerns` returns the member whom an event concerns, from the event itself; None: the
    event does not say it, so only endpoints for everybody's events are told."""

    name: str
    event: PublicType[Any]
    concerns: Callable[[Any], str] | None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of endpoints that may be told of it."""
        return ("all",) if self.concerns is None else ("own", "all")


def _creator(data: Mapping[str, Any]) -> str:
    """Whose product or content it is."""
    return str(data["creator_id"])


_ALL: Final = (
    Told("order.placed", billing.ORDER_PLACED, _creator),
    Told("order.paid", billing.ORDER_PAID, _creator),
    Told("payment.failed", billing.PAYMENT_FAILED, None),
    Told("entitlement.granted", billing.ENTITLEMENT_GRANTED, None),
    Told("content.published", catalog.CONTENT_PUBLISHED, _creator),
)
TOLD: Final[Mapping[str, Told]] = {one.name: one for one in _ALL}
