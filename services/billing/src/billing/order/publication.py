"""From orders to their public facts, which carry the whole order."""

from __future__ import annotations

from typing import TypedDict

from billing.money import told
from billing.order.domain.order import OrderPaid, OrderPlaced, Terms
from billing.order.domain.purchase import PurchaseHeld
from contracts.events import billing as public
from eventfold import PublicEvent, Recorded


def to_public(recorded: Recorded) -> PublicEvent | None:
    """The public form of an event of this slice, whose moment is the business time; which order holds a purchase stays
    here."""
    at = recorded.occurred_at
    match recorded.event:
        case OrderPlaced(terms=terms):
            return public.ORDER_PLACED({**_terms(terms), "placed_at": at})
        case OrderPaid(terms=terms) as event:
            return public.ORDER_PAID(
                {
                    **_terms(terms),
                    "provider": event.provider,
                    "payment_id": event.payment_id,
                    "platform_fee_bps": terms.platform_fee_bps,
                    "paid_at": at,
                }
            )
        case PurchaseHeld():
            return None
        case other:
            raise TypeError(f"no public form of {type(other).__name__}")


class _Terms(TypedDict):
    """What both facts of an order say."""

    order_id: str
    member_id: str
    creator_id: str
    product_id: str
    list: public.Money
    discount: public.Money
    charged: public.Money
    promotion_id: str | None


def _terms(terms: Terms) -> _Terms:
    return {
        "order_id": terms.order_id,
        "member_id": terms.member_id,
        "creator_id": terms.creator_id,
        "product_id": terms.product_id,
        "list": told(terms.list_price),
        "discount": told(terms.discount),
        "charged": told(terms.charged),
        "promotion_id": terms.promotion_id,
    }
