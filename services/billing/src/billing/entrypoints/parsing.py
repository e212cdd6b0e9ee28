"""Requests into what the application takes, each field checked and named when it is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from billing.application.importing import ImportedOrder
from billing.application.selling import SignedQuote
from billing.domain.money import MAX_AMOUNT_MINOR, Money
from billing.domain.product import PriceProduct, Pricing
from billing.domain.promotion import SchedulePromotion
from billing.domain.quote import Price, Quote, Wish
from contracts.external_ids import imported_id
from eventfold.errors import InvalidInput
from lyceum.billing.v1 import billing_pb2 as pb
from lyceum.common.v1 import common_pb2
from servicekit import validate

MAX_ID_CHARS = 200
MAX_TEXT_CHARS = 300
PRICINGS = ("fixed", "open_amount")


def identifier(value: str, field: str) -> str:
    """An id: 1 to `MAX_ID_CHARS` characters."""
    return validate.text(value, field, max_chars=MAX_ID_CHARS)


def optional_identifier(value: str, field: str) -> str | None:
    """An id, or None where the field is empty."""
    return identifier(value, field) if value else None


def money(value: common_pb2.Money, field: str) -> Money:
    """An amount from 0 to `MAX_AMOUNT_MINOR` of a currency."""
    amount_minor = validate.between(value.amount_minor, f"{field}.amount_minor", 0, MAX_AMOUNT_MINOR)
    return Money(amount_minor, validate.currency(value.currency, f"{field}.currency"))


def product(request: pb.PriceProductRequest, creator_id: str) -> PriceProduct:
    """A price to set, on behalf of `creator_id`."""
    return PriceProduct(
        identifier(request.product_id, "product_id"),
        creator_id,
        validate.text(request.title, "title", max_chars=MAX_TEXT_CHARS),
        cast(Pricing, validate.one_of(request.pricing, "pricing", PRICINGS)),
        money(request.price, "price"),
    )


def promotion(request: pb.SchedulePromotionRequest, creator_id: str) -> SchedulePromotion:
    """A promotion to announce; its terms are checked by the decider."""
    reduction = request.WhichOneof("reduction")
    return SchedulePromotion(
        identifier(request.promotion_id, "promotion_id"),
        creator_id,
        validate.text(request.name, "name", max_chars=MAX_TEXT_CHARS),
        money(request.amount_off, "amount_off") if reduction == "amount_off" else None,
        request.percent_off_bps if reduction == "percent_off_bps" else None,
        validate.utc(request.starts_at, "starts_at"),
        validate.utc(request.ends_at, "ends_at"),
        tuple(identifier(product_id, "product_ids") for product_id in request.product_ids),
    )


def wish(request: pb.CreateQuoteRequest) -> Wish:
    """What somebody asks the price of."""
    return Wish(
        identifier(request.product_id, "product_id"),
        request.amount_minor if request.HasField("amount_minor") else None,
        optional_identifier(request.promotion_id, "promotion_id"),
    )


def quote(value: pb.Quote) -> SignedQuote:
    """A quote as it was given out; whether it is ours, its signature says."""
    price = Price(
        money(value.list, "quote.list"), money(value.discount, "quote.discount"), money(value.charged, "quote.charged")
    )
    return SignedQuote(
        Quote(
            identifier(value.quote_id, "quote.quote_id"),
            identifier(value.member_id, "quote.member_id"),
            identifier(value.product_id, "quote.product_id"),
            identifier(value.creator_id, "quote.creator_id"),
            price,
            optional_identifier(value.promotion_id, "quote.promotion_id"),
            validate.utc(value.expires_at, "quote.expires_at"),
        ),
        value.signature,
    )


def imported_order(dataset: str, item: pb.ImportOrder, now: datetime) -> ImportedOrder:
    """A row of an import. Raises `InvalidInput` naming the field; the batch's other rows go on."""
    list_price, charged = money(item.list, "list"), money(item.charged, "charged")
    if list_price.currency != charged.currency:
        raise InvalidInput("must be the list amount's currency", field="charged.currency")
    if charged.amount_minor > list_price.amount_minor:
        raise InvalidInput("must be at most the list amount", field="charged.amount_minor")
    return ImportedOrder(
        imported_id("order", dataset, identifier(item.external_id, "external_id")),
        imported_id("member", dataset, identifier(item.member_external_id, "member_external_id")),
        identifier(item.product_id, "product_id"),
        list_price,
        charged,
        optional_identifier(item.promotion_id, "promotion_id"),
        validate.past_time(item.ordered_at, "ordered_at", now),
    )
