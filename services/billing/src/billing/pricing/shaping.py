"""Quotes and prices into answers."""

from __future__ import annotations

from billing.fields import amount
from billing.money import Money
from billing.pricing.domain.quote import SignedQuote
from billing.pricing.projections import PriceRow
from lyceum.billing.v1 import billing_pb2 as pb
from lyceum.common.v1 import common_pb2
from servicekit.times import stamp


def quote(signed: SignedQuote) -> pb.Quote:
    """A quote with its signature."""
    given, price = signed.quote, signed.quote.price
    return pb.Quote(
        quote_id=given.quote_id,
        member_id=given.member_id,
        product_id=given.product_id,
        creator_id=given.creator_id,
        list=_money(price.list_price),
        discount=_money(price.discount),
        charged=_money(price.charged),
        promotion_id=given.promotion_id or "",
        expires_at=stamp(given.expires_at),
        signature=signed.signature,
    )


def _money(value: Money) -> common_pb2.Money:
    return amount(value.amount_minor, value.currency)


def product(row: PriceRow) -> pb.GetProductResponse:
    """A product with its present price."""
    return pb.GetProductResponse(
        product_id=row.product_id,
        creator_id=row.creator_id,
        title=row.title,
        pricing=row.pricing,
        price=amount(row.amount_minor, row.currency),
    )
