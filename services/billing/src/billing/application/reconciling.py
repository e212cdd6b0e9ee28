"""Use case: payments that stay open are asked after, so that a lost call or callback heals by itself."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.application.paying import Paying
from billing.application.ports import OpenPayment, OpenPayments, ProviderUnavailable
from eventfold.decider import Context
from eventfold.errors import Contention, DomainError

log = logging.getLogger(__name__)

ACTOR = "billing-reconciler"
MAX_PAYMENTS_A_PASS = 50
MAX_PAUSE = timedelta(hours=1)
MAX_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class Pace:
    """How long after its start a payment is first asked after (pauses then double), and when it is given up."""

    first_after: timedelta
    expires_after: timedelta


class Reconciler:
    """Looks at a bounded number of open payments in each pass, those longest due first."""

    def __init__(self, paying: Paying, open_payments: OpenPayments, pace: Pace) -> None:
        self._paying = paying
        self._open = open_payments
        self._pace = pace

    async def run_pass(self, now: datetime) -> int:
        """Look at what is due at `now`; returns how many payments that were. One payment's trouble is logged and does
        not keep the others waiting; trouble with the database is raised."""
        due = await self._open.due(now, now - self._pace.first_after, MAX_PAYMENTS_A_PASS)
        for payment in due:
            await self._look(payment, now)
            await self._open.looked_at(payment, now + self._pause(payment))
        return len(due)

    def _pause(self, payment: OpenPayment) -> timedelta:
        doubled: timedelta = self._pace.first_after * 2 ** min(payment.checks, MAX_DOUBLINGS)
        return min(MAX_PAUSE, doubled)

    async def _look(self, payment: OpenPayment, now: datetime) -> None:
        try:
            await self._settle(payment, now)
        except (ProviderUnavailable, Contention) as failure:
            log.warning("payment not reconciled", extra={"payment_id": payment.payment_id, "why": str(failure)})
        except DomainError as failure:
            log.error("payment needs a human", extra={"payment_id": payment.payment_id, "code": failure.code})

    async def _settle(self, payment: OpenPayment, now: datetime) -> None:
        provider = self._paying.provider(payment.provider)
        expired = now - payment.initiated_at >= self._pace.expires_after
        ask = provider.close if expired else provider.query
        report = await ask(payment.merchant_number)
        context = Context(now=now, actor=ACTOR, correlation_id=payment.payment_id)
        if report is not None:
            await self._paying.settle(payment.provider, report, context)
        else:
            await self._unknown_there(payment, expired, context)

    async def _unknown_there(self, payment: OpenPayment, expired: bool, context: Context) -> None:
        """The provider never heard of it: our call was lost. Ask for it now, or give it up."""
        state = await self._paying.payment(payment.payment_id)
        if state.intent is None or state.status != "initiated":
            return  # the payment book is a little behind
        if expired:
            await self._paying.fail(state.intent, "expired", context)
        else:
            await self._paying.provider(payment.provider).create(state.intent, payment.merchant_number)
