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


# A product's facts arrive in its own order: the last price stands. A promotion keeps its terms.
PRODUCT_PRICES = projection(
    "product_prices",
    puts(PRICES, public.PRODUCT_PRICED, amount_minor="price.amount_minor", currency="price.currency"),
    partition_local=True,
)
PROMOTION_TERMS = projection(
    "promotions",
    puts(
        PROMOTIONS,
        public.PROMOTION_SCHEDULED,
        amount_off_minor="amount_off.amount_minor",
        currency="amount_off.currency",
    ),
    partition_local=True,
)
CONTENT_OWNERS = projection("content_owners", puts(OWNERS, CONTENT_PUBLISHED), partition_local=True)

GROUPS: Final = (FoldGroup("money", (PRODUCT_PRICES, PROMOTION_TERMS, CONTENT_OWNERS)),)
