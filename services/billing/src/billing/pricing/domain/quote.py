"""Quotes: what a purchase costs at a moment, priced by one pure function and signed so that nobody can alter it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta

from billing.money import MAX_AMOUNT_MINOR, Money, share_bps
from billing.pricing.domain.product import Content, ContentIsFree, Product, ProductPriced
from billing.pricing.domain.promotion import Promotion, PromotionScheduled
from billing.product_ids import is_content_id
from eventfold.errors import InvalidInput, NotFound, WrongState

VALID_FOR = timedelta(minutes=15)


class OwnProduct(WrongState):
    """Nobody buys from themselves."""

    code = "OWN_PRODUCT"


class ForgedQuote(InvalidInput):
    """The signature is not ours: the quote was altered or made elsewhere."""

    code = "FORGED_QUOTE"


@dataclass(frozen=True, slots=True)
class Price:
    """`charged` = `list_price` - `discount`, all of one currency and none below zero."""

    list_price: Money
    discount: Money
    charged: Money


@dataclass(frozen=True, slots=True)
class Quote:
    """An offer to one member. An order is charged what its quote says."""

    quote_id: str
    member_id: str
    product_id: str
    creator_id: str
    price: Price
    promotion_id: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedQuote:
    """A quote with its signature."""

    quote: Quote
    signature: bytes


@dataclass(frozen=True, slots=True)
class Wish:
    """What a member asks the price of. `amount_minor` is the amount named for an `open_amount` product."""

    product_id: str
    amount_minor: int | None
    promotion_id: str | None


def price(wish: Wish, product: Product, promotion: Promotion, now: datetime) -> Price:
    """What `wish` costs at `now`. Raises `NotFound`, `InvalidInput` or `WrongState`, naming what does not fit."""
    if product.priced is None:
        raise NotFound("there is no such product", field="product_id", product_id=wish.product_id)
    list_minor = _list_minor(wish, product.priced)
    discount_minor = 0
    if wish.promotion_id is not None:
        discount_minor = _discount_minor(wish, list_minor, product.priced, promotion.scheduled, now)
    return priced(list_minor, discount_minor, product.priced.price.currency)


def check_sold(product_id: str, member_id: str, product: Product, content: Content | None) -> None:
    """Raise `NotFound` where the content's creator does not sell it, whoever else priced its id, `ContentIsFree` for
    free content, and `OwnProduct` where a member would buy from themselves."""
    seller = product.priced.creator_id if product.priced else None
    if (content is None and is_content_id(product_id)) or (content and content.creator_id != seller):
        raise NotFound("there is no such product", field="product_id", product_id=product_id)
    if content and content.access == "free":
        raise ContentIsFree("the content is free 免费内容无须购买", field="product_id", product_id=product_id)
    if member_id == seller:
        raise OwnProduct("this is your own product 不能购买自己的产品", field="product_id", product_id=product_id)


def priced(list_minor: int, discount_minor: int, currency: str) -> Price:
    """A price from its list amount and discount."""
    charged = Money(list_minor - discount_minor, currency)
    return Price(Money(list_minor, currency), Money(discount_minor, currency), charged)


def _list_minor(wish: Wish, product: ProductPriced) -> int:
    if product.pricing == "fixed":
        if wish.amount_minor is not None:
            raise InvalidInput("the product has a fixed price", field="amount_minor")
        return product.price.amount_minor
    if wish.amount_minor is None:
        raise InvalidInput("the product needs an amount", field="amount_minor")
    if not product.price.amount_minor <= wish.amount_minor <= MAX_AMOUNT_MINOR:
        raise InvalidInput(f"must be from {product.price.amount_minor} to {MAX_AMOUNT_MINOR}", field="amount_minor")
    return wish.amount_minor


def _discount_minor(
    wish: Wish, list_minor: int, product: ProductPriced, terms: PromotionScheduled | None, now: datetime
) -> int:
    if terms is None or terms.creator_id != product.creator_id or wish.product_id not in terms.product_ids:
        raise NotFound("no such promotion for this product", field="promotion_id", product_id=wish.product_id)
    if not terms.starts_at <= now < terms.ends_at:
        raise WrongState("the promotion does not run now", field="promotion_id", product_id=wish.product_id)
    if terms.percent_off_bps is not None:
        return share_bps(list_minor, terms.percent_off_bps)
    if terms.amount_off is None or terms.amount_off.currency != product.price.currency:
        raise WrongState("the promotion is in another currency", field="promotion_id", product_id=wish.product_id)
    return min(list_minor, terms.amount_off.amount_minor)


def sign(quote: Quote, key: bytes) -> bytes:
    """HMAC-SHA-256 over every field of the quote in one unambiguous form."""
    text = json.dumps(astuple(quote), default=datetime.isoformat, ensure_ascii=True, separators=(",", ":"))
    return hmac.digest(key, text.encode(), hashlib.sha256)


def verify(quote: Quote, signature: bytes, keys: Sequence[bytes]) -> None:
    """Raise `ForgedQuote` unless `signature` is ours, under one of `keys`, over exactly these fields."""
    if not any(hmac.compare_digest(sign(quote, key), signature) for key in keys):
        raise ForgedQuote("the quote was not made here, or was altered", field="quote.signature")
