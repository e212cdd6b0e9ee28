"""Use cases of pricing: prices, promotions, quotes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from billing.commands import EdgeFacts
from billing.pricing.domain import quote as quotes
from billing.pricing.domain.product import PRODUCT, OwnersOf, PriceProduct, Product
from billing.pricing.domain.promotion import PROMOTION, Promotion, SchedulePromotion
from billing.pricing.domain.quote import Quote, SignedQuote, Wish
from eventfold import Ask, EventStore, Handled, Item, Pool
from eventfold.errors import NotFound, NotPermitted


class Pricing:
    """Takes the decisions of pricing; the first of `quote_keys` signs quotes."""

    def __init__(
        self, store: EventStore, pool: Pool, owners: OwnersOf, quote_keys: Callable[[], Sequence[bytes]]
    ) -> None:
        self._store = store
        self._pool = pool
        self._owners = owners
        self._quote_keys = quote_keys

    async def price(self, wanted: PriceProduct, command: EdgeFacts) -> Handled:
        """Set a price. Content can be priced by its creator only, as far as its publication has been folded."""
        owner = (await self._owners([wanted.product_id])).get(wanted.product_id)
        if owner is not None and owner != wanted.creator_id:
            raise NotPermitted("the content belongs to another creator", product_id=wanted.product_id)
        return await self._handle(Ask(PRODUCT, wanted.product_id, wanted), command, {"product_id": wanted.product_id})

    async def owner(self, product_id: str) -> str:
        """Who earns from a product, or could: its creator, else the content's. Raises `NotFound`."""
        product, _ = await self._offer(product_id, None)
        creator = product.priced.creator_id if product.priced else None
        creator = creator or (await self._owners([product_id])).get(product_id)
        if creator is None:
            raise NotFound("neither a product nor content", field="product_id", product_id=product_id)
        return creator

    async def schedule(self, wanted: SchedulePromotion, command: EdgeFacts) -> Handled:
        """Announce a promotion. It works only on products of its creator, however many ids it names."""
        ask = Ask(PROMOTION, wanted.promotion_id, wanted)
        return await self._handle(ask, command, {"promotion_id": wanted.promotion_id})

    async def quote(self, quote_id: str, member_id: str, wish: Wish, now: datetime) -> SignedQuote:
        """Price a wish; records nothing. Raises what `billing.pricing.domain.quote.price` raises."""
        product, promotion = await self._offer(wish.product_id, wish.promotion_id)
        price = quotes.price(wish, product, promotion, now)
        creator_id = product.priced.creator_id if product.priced else ""
        quote = Quote(
            quote_id=quote_id,
            member_id=member_id,
            product_id=wish.product_id,
            creator_id=creator_id,
            price=price,
            promotion_id=wish.promotion_id,
            expires_at=now + quotes.VALID_FOR,
        )
        return SignedQuote(quote, quotes.sign(quote, self._quote_keys()[0]))

    async def _offer(self, product_id: str, promotion_id: str | None) -> tuple[Product, Promotion]:
        product, promotion = PRODUCT.stream(product_id), PROMOTION.stream(promotion_id or "")
        async with self._pool.connection() as conn:
            found = await self._store.load(conn, [product, promotion] if promotion_id else [product])
        return (
            PRODUCT.decider.fold([one.event for one in found[product]]),
            PROMOTION.decider.fold([one.event for one in found.get(promotion, ())]),
        )

    async def _handle(self, ask: Ask, command: EdgeFacts, ids: dict[str, str]) -> Handled:
        return await self._store.handle(
            Item((ask,)), command.context, idempotency=command.idempotency, answer=lambda _: dict(ids)
        )
