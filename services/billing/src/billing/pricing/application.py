"""Use cases of pricing: prices, promotions, quotes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from billing.commands import EdgeFacts
from billing.pricing.domain import quote as quotes
from billing.pricing.domain.product import PRODUCT, Content, ContentIsFree, ContentsOf, PriceProduct, Product
from billing.pricing.domain.promotion import PROMOTION, Promotion, SchedulePromotion
from billing.pricing.domain.quote import Quote, SignedQuote, Wish
from billing.product_ids import is_content_id
from eventfold import Ask, EventStore, Handled, Item, Pool
from eventfold.errors import NotFound, NotPermitted


class Pricing:
    """Takes the decisions of pricing; the first of `quote_keys` signs quotes."""

    def __init__(
        self, store: EventStore, pool: Pool, contents: ContentsOf, quote_keys: Callable[[], Sequence[bytes]]
    ) -> None:
        self._store = store
        self._pool = pool
        self._contents = contents
        self._quote_keys = quote_keys

    async def price(self, wanted: PriceProduct, command: EdgeFacts) -> Handled:
        """Set a price. Content can be priced by its creator only, once its publication has been folded, and if it is
        not free. Raises `NotFound`, `NotPermitted`, `ContentIsFree`."""
        content = await self._content(wanted.product_id)
        if content is None and is_content_id(wanted.product_id):
            raise NotFound("there is no such content (yet)", field="product_id", product_id=wanted.product_id)
        if content is not None:
            wanted = _of_content(wanted, content)
        return await self._handle(Ask(PRODUCT, wanted.product_id, wanted), command, {"product_id": wanted.product_id})

    async def owner(self, product_id: str) -> str:
        """Who earns from a product, or could: the content's creator, else who priced it. Raises `NotFound`."""
        if content := await self._content(product_id):
            return content.creator_id
        product, _ = await self._offer(product_id, None)
        if product.priced is None or is_content_id(product_id):
            raise NotFound("neither a product nor content", field="product_id", product_id=product_id)
        return product.priced.creator_id

    async def schedule(self, wanted: SchedulePromotion, command: EdgeFacts) -> Handled:
        """Announce a promotion on products of its creator. Raises `NotPermitted` for one of another's."""
        for product_id, owner in (await self._sellers(wanted.product_ids)).items():
            if owner not in (None, wanted.creator_id):
                raise NotPermitted("names a product of another creator", field="product_ids", product_id=product_id)
        ask = Ask(PROMOTION, wanted.promotion_id, wanted)
        return await self._handle(ask, command, {"promotion_id": wanted.promotion_id})

    async def quote(self, quote_id: str, member_id: str, wish: Wish, now: datetime) -> SignedQuote:
        """Price a wish; records nothing. Raises what `check_sold` and `price` of `billing.pricing.domain.quote` do."""
        product, promotion = await self._offer(wish.product_id, wish.promotion_id)
        quotes.check_sold(wish.product_id, member_id, product, await self._content(wish.product_id))
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

    async def _content(self, product_id: str) -> Content | None:
        return (await self._contents([product_id])).get(product_id)

    async def _sellers(self, product_ids: Sequence[str]) -> Mapping[str, str | None]:
        """Who sells each product: the content's creator, else who priced it; None where nobody does yet."""
        contents = await self._contents(product_ids)
        async with self._pool.connection() as conn:
            found = await self._store.states(conn, [PRODUCT.at(product_id) for product_id in product_ids])
        states: dict[str, Product] = {id_: found[PRODUCT.stream(id_)] for id_ in product_ids}
        priced = {id_: state.priced.creator_id if state.priced else None for id_, state in states.items()}
        return {**priced, **{id_: content.creator_id for id_, content in contents.items()}}

    async def _offer(self, product_id: str, promotion_id: str | None) -> tuple[Product, Promotion]:
        product, promotion = PRODUCT.at(product_id), PROMOTION.at(promotion_id or "")
        async with self._pool.connection() as conn:
            found = await self._store.states(conn, [product, promotion] if promotion_id else [product])
        return found[product.stream], found.get(promotion.stream, Promotion())

    async def _handle(self, ask: Ask, command: EdgeFacts, ids: dict[str, str]) -> Handled:
        return await self._store.handle(
            Item((ask,)), command.context, idempotency=command.idempotency, answer=lambda _: dict(ids)
        )


def _of_content(wanted: PriceProduct, content: Content) -> PriceProduct:
    if content.creator_id != wanted.creator_id:
        raise NotPermitted("the content belongs to another creator", product_id=wanted.product_id)
    if content.access == "free":
        raise ContentIsFree("the content is free 免费内容不能定价", field="product_id", product_id=wanted.product_id)
    return replace(wanted, published=True)
