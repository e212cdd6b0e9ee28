"""From prices and promotions to their public facts."""

from __future__ import annotations

from datetime import datetime

from billing.money import told
from billing.pricing.domain.product import ProductPriced
from billing.pricing.domain.promotion import PromotionScheduled
from contracts.events import billing as public
from eventfold import PublicEvent, Recorded


def to_public(recorded: Recorded) -> PublicEvent:
    """The public form of an event of this slice; all are public."""
    match recorded.event:
        case ProductPriced() as event:
            return _product(event, recorded.occurred_at)
        case PromotionScheduled() as event:
            return _promotion(event)
        case other:
            raise TypeError(f"no public form of {type(other).__name__}")


def _product(event: ProductPriced, at: datetime) -> PublicEvent:
    return public.PRODUCT_PRICED(
        {
            "product_id": event.product_id,
            "creator_id": event.creator_id,
            "title": event.title,
            "pricing": event.pricing,
            "price": told(event.price),
            "previous": told(event.previous) if event.previous else None,
            "priced_at": at,
        }
    )


def _promotion(event: PromotionScheduled) -> PublicEvent:
    return public.PROMOTION_SCHEDULED(
        {
            "promotion_id": event.promotion_id,
            "creator_id": event.creator_id,
            "name": event.name,
            "product_ids": list(event.product_ids),
            "amount_off": told(event.amount_off) if event.amount_off else None,
            "percent_off_bps": event.percent_off_bps,
            "starts_at": event.starts_at,
            "ends_at": event.ends_at,
        }
    )
