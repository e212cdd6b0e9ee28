"""Use case: orders that were placed and paid elsewhere move in, each once for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.money import Money
from billing.order.domain import ORDER, ImportOrder, Terms
from billing.pricing.domain.product import PRODUCT, OwnersOf
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


class Importing:
    """Imports orders at the fee of today."""

    def __init__(self, store: EventStore, pool: Pool, owners: OwnersOf, fee_bps: int) -> None:
        self._store = store
        self._pool = pool
        self._owners = owners
        self._fee_bps = fee_bps

    async def orders(self, rows: Sequence[ImportedOrder], context: Context) -> tuple[list[Outcome], int | None]:
        """Record the rows as placed and paid at their own time; one outcome per row, and a position that covers them.

        Rows of unknown products are refused, others stand. Rows that were there before may not have been folded yet,
        so even a batch of duplicates has a position; None while nothing was ever recorded.
        """
        if not rows:
            return [], await self._store.last_position()
        creators = await self._creators({row.product_id for row in rows})
        known = [row for row in rows if row.product_id in creators]
        items = [self._item(row, creators[row.product_id], context) for row in known]
        handled = await self._store.handle_batch(items, context) if items else Handled({}, None)
        outcomes = iter(handled.outcomes)
        settled = [next(outcomes) if row.product_id in creators else _unknown(row) for row in rows]
        return settled, handled.position or await self._store.last_position()

    async def _creators(self, product_ids: set[str]) -> Mapping[str, str]:
        """Who earns from each product: who priced it, else who published it."""
        owners = await self._owners(product_ids)
        async with self._pool.connection() as conn:
            found = await self._store.load(conn, [PRODUCT.stream(product_id) for product_id in product_ids])
        states = {id_: PRODUCT.decider.fold([one.event for one in found[PRODUCT.stream(id_)]]) for id_ in product_ids}
        return {**owners, **{id_: state.priced.creator_id for id_, state in states.items() if state.priced}}

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
        return Item((Ask(ORDER, row.order_id, ImportOrder(terms)),), at)


def _unknown(row: ImportedOrder) -> Outcome:
    return Outcome(error=NotFound("neither a product nor content", field="product_id", product_id=row.product_id))
