"""Present prices of products, the promotions announced for them, and who published which content."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import billing as public
from contracts.events.catalog import CONTENT_PUBLISHED
from eventfold import FoldGroup, ReadTable, projection, puts


class PriceRow(NamedTuple):
    """A product's present price; the least amount where `pricing` is open_amount."""

    product_id: str
    creator_id: str
    title: str
    pricing: str
    amount_minor: int
    currency: str
    priced_at: datetime


class PromotionRow(NamedTuple):
    """A promotion's terms."""

    promotion_id: str
    creator_id: str
    name: str
    product_ids: list[str]
    amount_off_minor: int | None
    currency: str | None
    percent_off_bps: int | None
    starts_at: datetime
    ends_at: datetime


class OwnerRow(NamedTuple):
    """The creator of a content, who alone may sell it and earns from it, unless it is free."""

    content_id: str
    creator_id: str
    access: str


PRICES = ReadTable("product_price", PriceRow)
PROMOTIONS = ReadTable("promotion", PromotionRow)
OWNERS = ReadTable("content_owner", OwnerRow)


def _price(data: public.ProductPriced) -> PriceRow:
    """A product's facts arrive in its own order: the last price stands."""
    price = data["price"]
    return PriceRow(
        product_id=data["product_id"],
        creator_id=data["creator_id"],
        title=data["title"],
        pricing=data["pricing"],
        amount_minor=price["amount_minor"],
        currency=price["currency"],
        priced_at=data["priced_at"],
    )


def _promotion(data: public.PromotionScheduled) -> PromotionRow:
    """A promotion keeps its terms."""
    off = data["amount_off"]
    return PromotionRow(
        promotion_id=data["promotion_id"],
        creator_id=data["creator_id"],
        name=data["name"],
        product_ids=data["product_ids"],
        amount_off_minor=off and off["amount_minor"],
        currency=off and off["currency"],
        percent_off_bps=data["percent_off_bps"],
        starts_at=data["starts_at"],
        ends_at=data["ends_at"],
    )


PRODUCT_PRICES = projection("product_prices", puts(PRICES, public.PRODUCT_PRICED, _price), partition_local=True)
PROMOTION_TERMS = projection(
    "promotions", puts(PROMOTIONS, public.PROMOTION_SCHEDULED, _promotion), partition_local=True
)
CONTENT_OWNERS = projection("content_owners", puts(OWNERS, CONTENT_PUBLISHED), partition_local=True)

GROUPS: Final = (FoldGroup("money", (PRODUCT_PRICES, PROMOTION_TERMS, CONTENT_OWNERS)),)
