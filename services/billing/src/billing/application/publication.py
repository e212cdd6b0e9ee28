"""What billing tells others: the one mapping from private to public events."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from billing.domain.entitlement import EntitlementGranted
from billing.domain.money import Money
from billing.domain.order import OrderPaid, OrderPlaced, Terms
from billing.domain.payment import PaymentCaptured, PaymentFailed, PaymentInitiated
from billing.domain.product import ProductPriced
from billing.domain.promotion import PromotionScheduled
from contracts.events import billing as public
from eventfold import PublicEvent, Recorded


def to_public(recorded: Recorded) -> PublicEvent:
    """Every event of billing is public; its moment is the business time."""
    at = recorded.occurred_at
    match recorded.event:
        case OrderPlaced(terms=terms):
            return public.ORDER_PLACED({**_terms(terms), "placed_at": at})
        case OrderPaid(terms=terms) as event:
            return public.ORDER_PAID({
                **_terms(terms), "provider": event.provider, "payment_id": event.payment_id,
                "platform_fee_bps": terms.platform_fee_bps, "paid_at": at,
            })  # fmt: skip
        case EntitlementGranted() as event:
            return public.ENTITLEMENT_GRANTED({
                "entitlement_id": event.entitlement_id, "member_id": event.member_id, "product_id": event.product_id,
                "source": event.source, "order_id": event.order_id, "expires_at": None, "granted_at": at,
            })  # fmt: skip
        case PaymentInitiated() | PaymentCaptured() | PaymentFailed() as event:
            return _payment(event, at)
        case ProductPriced() as event:
            return public.PRODUCT_PRICED({
                "product_id": event.product_id, "creator_id": event.creator_id, "title": event.title,
                "pricing": event.pricing, "price": _money(event.price),
                "previous": _money(event.previous) if event.previous else None, "priced_at": at,
            })  # fmt: skip
        case PromotionScheduled() as event:
            return _promotion(event)
        case other:
            raise TypeError(f"no public form of {type(other).__name__}")


def _money(money: Money) -> public.Money:
    return {"amount_minor": money.amount_minor, "currency": money.currency}


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
        "order_id": terms.order_id, "member_id": terms.member_id, "creator_id": terms.creator_id,
        "product_id": terms.product_id, "list": _money(terms.list_price), "discount": _money(terms.discount),
        "charged": _money(terms.charged), "promotion_id": terms.promotion_id,
    }  # fmt: skip


class _Payment(TypedDict):
    """What all facts of a payment say."""

    payment_id: str
    order_id: str
    member_id: str
    provider: str
    merchant_number: str


def _payment(event: PaymentInitiated | PaymentCaptured | PaymentFailed, at: datetime) -> PublicEvent:
    intent = event.intent
    same: _Payment = {
        "payment_id": intent.payment_id, "order_id": intent.order_id, "member_id": intent.member_id,
        "provider": intent.provider, "merchant_number": event.merchant_number,
    }  # fmt: skip
    match event:
        case PaymentInitiated():
            return public.PAYMENT_INITIATED({**same, "amount": _money(intent.amount), "initiated_at": at})
        case PaymentCaptured():
            return public.PAYMENT_CAPTURED({
                **same, "amount": _money(intent.amount), "provider_reference": event.provider_reference,
                "captured_at": at,
            })  # fmt: skip
        case PaymentFailed():
            return public.PAYMENT_FAILED({**same, "reason": event.reason, "failed_at": at})


def _promotion(event: PromotionScheduled) -> PublicEvent:
    return public.PROMOTION_SCHEDULED({
        "promotion_id": event.promotion_id, "creator_id": event.creator_id, "name": event.name,
        "product_ids": list(event.product_ids), "amount_off": _money(event.amount_off) if event.amount_off else None,
        "percent_off_bps": event.percent_off_bps, "starts_at": event.starts_at, "ends_at": event.ends_at,
    })  # fmt: skip
