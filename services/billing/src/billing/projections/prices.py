"""Present prices of products, and the promotions announced for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from billing import topics
from eventfold.readmodel import Changes, Draft, Key, Projection, PublicRecord, ReadTable, Rows


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


PRICES = ReadTable("product_price", PriceRow)
PROMOTIONS = ReadTable("promotion", PromotionRow)


def price_keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    """One row for each product."""
    return {PRICES.name: [(event.data["product_id"],) for event in events]}


def fold_prices(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """A product's facts arrive in its own order: the last price stands."""
    draft = Draft(rows)
    for event in events:
        if event.type == topics.PRODUCT_PRICED:
            draft.put(PRICES, _price(event.data))
    return draft.changes()


def _price(data: dict[str, Any]) -> PriceRow:
    price = data["price"]
    return PriceRow(
        data["product_id"], data["creator_id"], data["title"], data["pricing"], price["amount_minor"],
        price["currency"], data["priced_at"],
    )  # fmt: skip


def promotion_keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    """One row for each promotion."""
    return {PROMOTIONS.name: [(event.data["promotion_id"],) for event in events]}


def fold_promotions(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """A promotion keeps its terms."""
    draft = Draft(rows)
    for event in events:
        if event.type == topics.PROMOTION_SCHEDULED:
            draft.put(PROMOTIONS, _promotion(event.data))
    return draft.changes()


def _promotion(data: dict[str, Any]) -> PromotionRow:
    off = data["amount_off"] or {"amount_minor": None, "currency": None}
    return PromotionRow(
        data["promotion_id"], data["creator_id"], data["name"], data["product_ids"], off["amount_minor"],
        off["currency"], data["percent_off_bps"], data["starts_at"], data["ends_at"],
    )  # fmt: skip


PRODUCT_PRICES = Projection(
    "product_prices", (topics.PRODUCT,), (PRICES,), price_keys, fold_prices, halts=True, partition_local=True
)
PROMOTION_TERMS = Projection(
    "promotions", (topics.PROMOTION,), (PROMOTIONS,), promotion_keys, fold_promotions, halts=True, partition_local=True
)
