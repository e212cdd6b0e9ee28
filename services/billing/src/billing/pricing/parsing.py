"""Requests into prices, promotions and wishes, each field checked and named when it is wrong."""

from __future__ import annotations

from typing import cast

from billing import fields
from billing.pricing.domain.product import PriceProduct, Pricing
from billing.pricing.domain.promotion import SchedulePromotion
from billing.pricing.domain.quote import Wish
from lyceum.billing.v1 import billing_pb2 as pb
from servicekit import validate

MAX_TEXT_CHARS = 300
PRICINGS = ("fixed", "open_amount")


def product(request: pb.PriceProductRequest, creator_id: str) -> PriceProduct:
    """A price to set, on behalf of `creator_id`."""
    return PriceProduct(
        product_id=validate.path_id(request.product_id, "product_id"),
        creator_id=creator_id,
        title=validate.line(request.title, "title", max_chars=MAX_TEXT_CHARS),
        pricing=cast(Pricing, validate.one_of(request.pricing, "pricing", PRICINGS)),
        price=fields.money(request.price, "price"),
    )


def promotion(request: pb.SchedulePromotionRequest, creator_id: str) -> SchedulePromotion:
    """A promotion to announce; its terms are checked by the decider."""
    reduction = request.WhichOneof("reduction")
    return SchedulePromotion(
        promotion_id=validate.path_id(request.promotion_id, "promotion_id"),
        creator_id=creator_id,
        name=validate.line(request.name, "name", max_chars=MAX_TEXT_CHARS),
        amount_off=fields.money(request.amount_off, "amount_off") if reduction == "amount_off" else None,
        percent_off_bps=request.percent_off_bps if reduction == "percent_off_bps" else None,
        starts_at=validate.utc(request.starts_at, "starts_at"),
        ends_at=validate.utc(request.ends_at, "ends_at"),
        product_ids=tuple(fields.identifier(product_id, "product_ids") for product_id in request.product_ids),
    )


def wish(request: pb.CreateQuoteRequest) -> Wish:
    """What somebody asks the price of."""
    return Wish(
        fields.identifier(request.product_id, "product_id"),
        request.amount_minor if request.HasField("amount_minor") else None,
        fields.optional_identifier(request.promotion_id, "promotion_id"),
    )
