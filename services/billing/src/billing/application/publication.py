"""What billing tells others: the one mapping from private to public events."""

from __future__ import annotations

from typing import Any

from billing import topics
from billing.domain.entitlement import EntitlementGranted
from billing.domain.money import Money
from billing.domain.order import OrderPaid, OrderPlaced, Terms
from billing.domain.payment import Intent, PaymentCaptured, PaymentFailed, PaymentInitiated
from billing.domain.product import ProductPriced
from billing.domain.promotion import PromotionScheduled
from eventfold.decider import Recorded
from eventfold.publish import PublicEvent


def to_public(recorded: Recorded) -> PublicEvent | None:
    """Every event of billing is public; its moment is the business time."""
    type_name, data, moment = _public(recorded.event)
    return PublicEvent(type_name, {**data, moment: recorded.occurred_at} if moment else data)


def _public(event: Any) -> tuple[str, dict[str, Any], str | None]:
    """Public type, data, and the name of the field that tells when."""
    match event:
        case OrderPlaced(terms=terms):
            return topics.ORDER_PLACED, _terms(terms), "placed_at"
        case OrderPaid(terms=terms):
            more = {"provider": event.provider, "payment_id": event.payment_id}
            return topics.ORDER_PAID, {**_terms(terms), **more, "platform_fee_bps": terms.platform_fee_bps}, "paid_at"
        case EntitlementGranted():
            return topics.ENTITLEMENT_GRANTED, _entitlement(event), "granted_at"
        case PaymentInitiated():
            data = {**_payment(event.intent, event.merchant_number), "amount": _money(event.intent.amount)}
            return topics.PAYMENT_INITIATED, data, "initiated_at"
        case PaymentCaptured():
            data = {**_payment(event.intent, event.merchant_number), "amount": _money(event.intent.amount)}
            return topics.PAYMENT_CAPTURED, {**data, "provider_reference": event.provider_reference}, "captured_at"
        case PaymentFailed():
            data = {**_payment(event.intent, event.merchant_number), "reason": event.reason}
            return topics.PAYMENT_FAILED, data, "failed_at"
        case ProductPriced():
            return topics.PRODUCT_PRICED, _product(event), "priced_at"
        case PromotionScheduled():
            return topics.PROMOTION_SCHEDULED, _promotion(event), None
        case _:
            raise TypeError(f"no public form of {type(event).__name__}")


def _money(money: Money) -> dict[str, Any]:
    return {"amount_minor": money.amount_minor, "currency": money.currency}


def _terms(terms: Terms) -> dict[str, Any]:
    return {
        "order_id": terms.order_id, "member_id": terms.member_id, "creator_id": terms.creator_id,
        "product_id": terms.product_id, "list": _money(terms.list_price), "discount": _money(terms.discount),
        "charged": _money(terms.charged), "promotion_id": terms.promotion_id,
    }  # fmt: skip


def _payment(intent: Intent, merchant_number: str) -> dict[str, Any]:
    return {
        "payment_id": intent.payment_id, "order_id": intent.order_id, "member_id": intent.member_id,
        "provider": intent.provider, "merchant_number": merchant_number,
    }  # fmt: skip


def _entitlement(event: EntitlementGranted) -> dict[str, Any]:
    return {
        "entitlement_id": event.entitlement_id, "member_id": event.member_id, "product_id": event.product_id,
        "source": event.source, "order_id": event.order_id, "expires_at": None,
    }  # fmt: skip


def _product(event: ProductPriced) -> dict[str, Any]:
    return {
        "product_id": event.product_id, "creator_id": event.creator_id, "title": event.title,
        "pricing": event.pricing, "price": _money(event.price),
        "previous": _money(event.previous) if event.previous else None,
    }  # fmt: skip


def _promotion(event: PromotionScheduled) -> dict[str, Any]:
    return {
        "promotion_id": event.promotion_id, "creator_id": event.creator_id, "name": event.name,
        "product_ids": list(event.product_ids), "amount_off": _money(event.amount_off) if event.amount_off else None,
        "percent_off_bps": event.percent_off_bps, "starts_at": event.starts_at, "ends_at": event.ends_at,
    }  # fmt: skip
