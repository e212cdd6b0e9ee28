"""Use case of ordering: a quote that is ours becomes an order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from billing.commands import EdgeFacts
from billing.order.domain.order import ORDER, Order, PlaceOrder, Terms, order_id_of, terms_of
from billing.order.domain.purchase import ALREADY_BOUGHT, PURCHASE, AlreadyBought, HoldPurchase, holding, purchase_of
from billing.pricing.domain import quote as quotes
from billing.pricing.domain.quote import SignedQuote
from billing.product_ids import is_content_id
from eventfold import Ask, Connection, EventStore, Handled, Item, Pool
from eventfold.errors import NotPermitted


class Ordering:
    """Takes the decisions of ordering. Quotes under any of `quote_keys` are accepted; `fee_bps` is the platform's share
    of new orders."""

    def __init__(self, store: EventStore, pool: Pool, quote_keys: Callable[[], Sequence[bytes]], fee_bps: int) -> None:
        self._store = store
        self._pool = pool
        self._quote_keys = quote_keys
        self._fee_bps = fee_bps

    async def place(self, signed: SignedQuote, member_id: str, command: EdgeFacts) -> Handled:
        """Place the order of a quote; its status is in the answer. Raises `ForgedQuote`, `NotPermitted`,
        `QuoteExpired`, `AlreadyBought`."""
        quote = signed.quote
        quotes.verify(quote, signed.signature, self._quote_keys())
        if quote.member_id != member_id:
            raise NotPermitted("the quote was made for another member", quote_id=quote.quote_id)
        order_id = order_id_of(quote.quote_id)
        terms = terms_of(order_id, quote, self._fee_bps)
        known = await self._known(terms)
        asks = (Ask(ORDER, order_id, PlaceOrder(terms, quote.expires_at, command.context.now)), *_taking(terms))
        status = "paid" if known.status == "paid" or not terms.charged.amount_minor else "placed"
        return await self._store.handle(
            Item(asks),
            command.context,
            idempotency=command.idempotency,
            answer=lambda _: {"order_id": order_id, "status": status},
        )

    async def _known(self, terms: Terms) -> Order:
        """The order as it stands, where the quote was used before. Raises `AlreadyBought`."""
        async with self._pool.connection() as conn:
            order: Order = await self._store.state(conn, ORDER.at(terms.order_id))
            if order.status == "absent" and is_content_id(terms.product_id):
                await check_not_bought(self._store, conn, terms)
        return order


async def check_not_bought(store: EventStore, conn: Connection, terms: Terms) -> None:
    """Raise `AlreadyBought` where another order of this content has been paid by the member."""
    purchase = PURCHASE.at(purchase_of(terms.member_id, terms.product_id))
    holder: str | None = (await store.state(conn, purchase)).order_id
    if holder not in (None, terms.order_id) and (await store.state(conn, ORDER.at(holder))).status == "paid":
        raise AlreadyBought(ALREADY_BOUGHT, field="product_id", order_id=holder)


def _taking(terms: Terms) -> tuple[Ask, ...]:
    """A free order of content holds its purchase at once; others do when they are being paid."""
    if terms.charged.amount_minor or not is_content_id(terms.product_id):
        return ()
    return (holding(terms.member_id, terms.product_id, HoldPurchase(terms.order_id)),)
