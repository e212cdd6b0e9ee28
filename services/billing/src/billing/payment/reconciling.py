"""Use case: payments that stay open are asked after, so that a lost call or callback heals by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from billing.payment.application import asks_of, failing
from billing.payment.domain import ASK_AFTER, PAYMENT, Intent, merchant_number_of
from billing.payment.provider import Provider, ProviderUnavailable
from eventfold import Ask, Due, DueHandler, Item, Pace
from eventfold.timers.intents import outcome_of

LONGEST_PAUSE = timedelta(hours=1)


class Reconciler:
    """Looks at an open payment when it is due: `provider` gives the one of a name, after `expires_after` the payment is
    closed there and given up."""

    def __init__(self, provider: Callable[[str], Provider], expires_after: timedelta) -> None:
        self._provider = provider
        self._expires_after = expires_after

    @property
    def handler(self) -> DueHandler:
        """For the due-date worker: the pauses between looks double up to an hour."""
        return DueHandler(PAYMENT, self.look, Pace(ASK_AFTER, LONGEST_PAUSE))

    async def look(self, due: Due) -> Item | None:
        """What is to be recorded now; None while the payment waits for its buyer. Raises `ProviderUnavailable`."""
        intent: Intent | None = due.state.intent
        if intent is None or due.state.status != "initiated":
            return None  # it was settled meanwhile, and so was its date
        asks = await self._asks(intent, due)
        return Item(asks) if asks else None

    async def _asks(self, intent: Intent, due: Due) -> tuple[Ask, ...]:
        provider, number = self._provider(intent.provider), merchant_number_of(intent.payment_id)
        expired = due.now - due.since >= self._expires_after
        if expired:
            report = await provider.close(number)
        else:
            report = await outcome_of(provider, number, intent, asked_before=True)
        if report is None:
            return (failing(intent, "expired"),)
        if report.merchant_number != number:
            raise ProviderUnavailable(provider.name, "it answered for another number")
        return asks_of(intent, report)
