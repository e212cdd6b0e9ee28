"""Prepares the shop before members can buy: the product, its promotion, and a published article."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from lyceum_cli.errors import Refused
from lyceum_cli.gateway import Gateway
from lyceum_cli.importing.rows import instant
from lyceum_demo import community as made

PROMOTION_LASTS: Final = timedelta(days=1)
ARTICLE: Final = {
    "title": "How this shop came to be",
    "author": "The demonstration",
    "content": "Real purchases of 1997 and 1998, replayed through quotes, orders, payments and a ledger.",
}


async def open_shop(creator: Gateway, dataset: str) -> None:
    """Publish an article, price the product, and announce what imported orders were promoted by; safe to repeat."""
    await creator.post("/publish", ARTICLE, idempotency_key=f"{dataset}-article")
    product = {
        "product_id": made.PRODUCT,
        "title": "A basket of records",
        "pricing": "open_amount",
        "price": {"amount_minor": "0", "currency": made.CURRENCY},
    }
    await creator.post("/v1/products", product)
    await creator.post("/v1/promotions", _terms(made.IMPORTED_PROMOTION, "Anniversary of old", *made.SALES))


async def schedule_promotion(creator: Gateway, now: datetime) -> str:
    """Schedule the live promotion, from `now` for a day; returns its id. Each day has its own, because the terms
    differ."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    promotion_id = f"{made.LIVE_PROMOTION}-{day:%Y-%m-%d}"
    terms = _terms(promotion_id, "Anniversary", day, day + 2 * PROMOTION_LASTS)
    try:
        await creator.post("/v1/promotions", terms)
    except Refused as refusal:
        if refusal.status != HTTPStatus.CONFLICT:
            raise
    return promotion_id


def _terms(promotion_id: str, name: str, starts_at: datetime, ends_at: datetime) -> dict[str, object]:
    return {
        "promotion_id": promotion_id,
        "name": name,
        "starts_at": instant(starts_at),
        "ends_at": instant(ends_at),
        "product_ids": [made.PRODUCT],
        "amount_off": {"amount_minor": str(made.REDUCTION_MINOR), "currency": made.CURRENCY},
    }
