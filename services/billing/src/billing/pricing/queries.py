"""Present prices, and who published what."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from billing.pricing.domain.product import Content
from billing.pricing.projections import OWNERS, PRICES, PriceRow
from billing.reading import rows_of
from eventfold import Pool

_PRICE = f"SELECT {', '.join(PRICES.columns)} FROM product_price WHERE product_id = %s"  # noqa: S608 - declared names
_OWNERS = f"SELECT {', '.join(OWNERS.columns)} FROM content_owner WHERE content_id = ANY(%s)"  # noqa: S608 - declared


class Prices:
    """Reads what products cost."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, product_id: str) -> PriceRow | None:
        """A product's present price; None if there is no such product (yet)."""
        rows = await rows_of(self._pool, _PRICE, [product_id])
        return PriceRow._make(rows[0]) if rows else None


class Contents:
    """Reads who published which content, as far as catalog's events have been folded."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, content_ids: Collection[str]) -> Mapping[str, Content]:
        """By content id, for those that are known."""
        rows = await rows_of(self._pool, _OWNERS, [list(content_ids)])
        return {content_id: Content(creator_id, access) for content_id, creator_id, access in rows}
