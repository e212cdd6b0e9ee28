"""Use case of ordering: a quote that is ours becomes an order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from billing.commands import EdgeFacts
from billing.order.domain import ORDER, PlaceOrder, order_id_of, terms_of
from billing.pricing.domain import quote as quotes
from billing.pricing.domain.quote import SignedQuote
from eventfold import Ask, EventStore, Handled, Item
from eventfold.errors import NotPermitted


class Ordering:
    """Takes the decisions of ordering. Quotes under any of `quote_keys` are accepted; `fee_bps` is the platform's share
    of new orders."""

    def __init__(self, store: EventStore, quote_keys: Callable[[], Sequence[bytes]], fee_bps: int) -> None:
        self._store = store
        self._quote_keys = quote_keys
        self._fee_bps = fee_bps

    async def place(self, signed: SignedQuote, member_id: str, command: EdgeFacts) -> Handled:
        """Place the order of a quote. Raises `ForgedQuote`, `NotPermitted`, `QuoteExpired`."""
        quote = signed.quote
        quotes.verify(quote, signed.signature, self._quote_keys())
        if quote.member_id != member_id:
            raise NotPermitted("the quote was made for another member", quote_id=quote.quote_id)
        order_id = order_id_of(quote.quote_id)
        wanted = PlaceOrder(terms_of(order_id, quote, self._fee_bps), quote.expires_at, command.context.now)
        status = "placed" if quote.price.charged.amount_minor else "paid"
        return await self._store.handle(
            Item((Ask(ORDER, order_id, wanted),)),
            command.context,
            idempotency=command.idempotency,
            answer=lambda _: {"order_id": order_id, "status": status},
        )
