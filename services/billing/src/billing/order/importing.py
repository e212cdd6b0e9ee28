"""Use case: orders that were placed and paid elsewhere move in, each once for ever."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.money import Money
from billing.order.domain.order import ORDER, ImportOrder, Terms
from billing.order.domain.purchase import HoldPurchase, holding
from billing.pricing.domain.product import PRODUCT, ContentsOf, Product
from billing.pricing.domain.promotion import PROMOTION, Promotion
from billing.product_ids import is_content_id
from eventfold import Ask, Context, EventStore, Handled, Item, Outcome, Pool
from eventfold.errors import NotFound


@dataclass(frozen=True, slots=True)
class ImportedOrder:
    """A checked row of a data set."""

    order_id: str
    member_id: str
    product_id: str
    list_price: Money
    charged: Money
    promotion_id: str | None
    ordered_at: datetime
    creator_id: str | None = None


class Importing:
    """Imports orders at the fee of today."""

    def __init__(self, store: EventStore, pool: Pool, contents: ContentsOf, fee_bps: int) -> None:
        self._store = store
        self._pool = pool
        self._contents = contents
        self._fee_bps = fee_bps

    async def orders(self, rows: Sequence[ImportedOrder], context: Context) -> tuple[list[Outcome], int | None]:
        """Record the rows as placed and paid at their own time; one outcome per row, and a position that covers them.

        Rows of unknown products or promotions are refused, others stand. Rows that were there before may not
        have been folded yet, so even a batch of duplicates has a position; None while nothing was ever recorded.
        """
        if not rows:
            return [], await self._store.last_position()
        known = await self._known(rows)
        refusals = [known.refusal(row) for row in rows]
        items = [
            self._item(row, known.creators[row.product_id], context)
            for row, refusal in zip(rows, refusals, strict=True)
            if refusal is None
        ]
        handled = await self._store.handle_batch(items, context) if items else Handled({}, None)
        outcomes = iter(handled.outcomes)
        settled = [next(outcomes) if refusal is None else Outcome(error=refusal) for refusal in refusals]
        return settled, handled.position or await self._store.last_position()

    async def _known(self, rows: Sequence[ImportedOrder]) -> Known:
        """What is known of what the rows name."""
        product_ids = {row.product_id for row in rows}
        contents = await self._contents(product_ids)
        products, promotions = await self._named(product_ids, {row.promotion_id for row in rows if row.promotion_id})
        priced = {id_: one.priced.creator_id for id_, one in products.items() if one.priced and not is_content_id(id_)}
        creators = {**priced, **{id_: content.creator_id for id_, content in contents.items()}}
        return Known(creators, {id_: one.scheduled.creator_id for id_, one in promotions.items() if one.scheduled})

    async def _named(
        self, product_ids: Collection[str], promotion_ids: Collection[str]
    ) -> tuple[Mapping[str, Product], Mapping[str, Promotion]]:
        async with self._pool.connection() as conn:
            found = await self._store.states(conn, [*map(PRODUCT.at, product_ids), *map(PROMOTION.at, promotion_ids)])
        return (
            {id_: found[PRODUCT.stream(id_)] for id_ in product_ids},
            {id_: found[PROMOTION.stream(id_)] for id_ in promotion_ids},
        )

    def _item(self, row: ImportedOrder, creator_id: str, context: Context) -> Item:
        discount = Money(row.list_price.amount_minor - row.charged.amount_minor, row.charged.currency)
        terms = Terms(
            order_id=row.order_id,
            member_id=row.member_id,
            creator_id=creator_id,
            product_id=row.product_id,
            list_price=row.list_price,
            discount=discount,
            charged=row.charged,
            promotion_id=row.promotion_id,
            platform_fee_bps=self._fee_bps,
        )
        at = replace(context, occurred_at=row.ordered_at, backfill=True)
        asks = [Ask(ORDER, row.order_id, ImportOrder(terms))]
        if is_content_id(row.product_id):
            asks.append(holding(row.member_id, row.product_id, HoldPurchase(row.order_id, paid_elsewhere=True)))
        return Item(tuple(asks), at)


@dataclass(frozen=True, slots=True)
class Known:
    """Of what rows name: who earns from each product, and whose each promotion is."""

    creators: Mapping[str, str]
    promotions: Mapping[str, str]

    def refusal(self, row: ImportedOrder) -> NotFound | None:
        """Why a row cannot be recorded."""
        if row.product_id not in self.creators:
            return NotFound("neither a product nor content", field="product_id", product_id=row.product_id)
        if not self._is_creators(row):
            return NotFound("the product is not this creator's", field="creator_id", product_id=row.product_id)
        if row.promotion_id and self.promotions.get(row.promotion_id) != self.creators[row.product_id]:
            return NotFound("no such promotion for this product", field="promotion_id")
        return None

    def _is_creators(self, row: ImportedOrder) -> bool:
        """Whether who would earn from the order is meant: of content its creator, of other products the one named."""
        named = row.creator_id
        return named == self.creators[row.product_id] if named else is_content_id(row.product_id)
