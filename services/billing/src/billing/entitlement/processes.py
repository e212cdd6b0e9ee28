"""A paid order lets its member use the product."""

from __future__ import annotations

from collections.abc import Sequence

from billing.entitlement.domain import ENTITLEMENT, GrantEntitlement, entitlement_id_of
from billing.order.domain.order import IMPORTED
from contracts.events.billing import ORDER_PAID, OrderPaid
from eventfold import Ask, Context, Item, Process, PublicRecord

NAME = "grant-after-paid"


def react(event: PublicRecord[OrderPaid]) -> Sequence[Item]:
    """Grant once for each paid order, at the business time of its payment."""
    data = event.data
    entitlement_id = entitlement_id_of(data["order_id"])
    command = GrantEntitlement(
        entitlement_id=entitlement_id,
        member_id=data["member_id"],
        product_id=data["product_id"],
        source="import" if data["provider"] == IMPORTED else "purchase",
        order_id=data["order_id"],
    )
    return [Item((Ask(ENTITLEMENT, entitlement_id, command),), context_of(event))]


def context_of(event: PublicRecord) -> Context:
    """What surrounds a reaction: caused by the event, at its time."""
    return Context(
        now=event.occurred_at,
        actor=NAME,
        correlation_id=event.correlation_id,
        causation_id=event.id,
        occurred_at=event.occurred_at,
        backfill=event.backfill,
    )


GRANT_AFTER_PAID = Process(NAME, (ORDER_PAID,), react)
