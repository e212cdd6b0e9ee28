"""Requests into orders, each field checked and named when it is wrong."""

from __future__ import annotations

from datetime import datetime

from billing import fields
from billing.order.importing import ImportedOrder
from billing.pricing.domain.quote import Price, Quote, SignedQuote
from contracts.external_ids import imported_id
from eventfold.errors import InvalidInput
from lyceum.billing.v1 import billing_pb2 as pb
from servicekit import validate


def quote(value: pb.Quote) -> SignedQuote:
    """A quote as it was given out; whether it is ours, its signature says."""
    price = Price(
        fields.money(value.list, "quote.list"),
        fields.money(value.discount, "quote.discount"),
        fields.money(value.charged, "quote.charged"),
    )
    return SignedQuote(
        Quote(
            quote_id=fields.identifier(value.quote_id, "quote.quote_id"),
            member_id=fields.identifier(value.member_id, "quote.member_id"),
            product_id=fields.identifier(value.product_id, "quote.product_id"),
            creator_id=fields.identifier(value.creator_id, "quote.creator_id"),
            price=price,
            promotion_id=fields.optional_identifier(value.promotion_id, "quote.promotion_id"),
            expires_at=validate.utc(value.expires_at, "quote.expires_at"),
        ),
        value.signature,
    )


def imported_order(dataset: str, item: pb.ImportOrder, now: datetime) -> ImportedOrder:
    """A row of an import. Raises `InvalidInput` naming the field; the batch's other rows go on."""
    ordered_at = validate.past_time(item.ordered_at, "ordered_at", now)
    ordered_on = ordered_at.date()  # in UTC; the order's currency may have ended since
    list_price, charged = fields.money(item.list, "list", ordered_on), fields.money(item.charged, "charged", ordered_on)
    if list_price.currency != charged.currency:
        raise InvalidInput("must be the list amount's currency", field="charged.currency")
    if charged.amount_minor > list_price.amount_minor:
        raise InvalidInput("must be at most the list amount", field="charged.amount_minor")
    return ImportedOrder(
        order_id=imported_id("order", dataset, fields.identifier(item.external_id, "external_id")),
        member_id=imported_id("member", dataset, fields.identifier(item.member_external_id, "member_external_id")),
        product_id=fields.identifier(item.product_id, "product_id"),
        list_price=list_price,
        charged=charged,
        promotion_id=fields.optional_identifier(item.promotion_id, "promotion_id"),
        ordered_at=ordered_at,
        creator_id=fields.optional_identifier(item.creator_id, "creator_id"),
    )
