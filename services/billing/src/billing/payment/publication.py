"""From payments to their public facts."""

from __future__ import annotations

from typing import TypedDict, assert_never

from billing.money import told
from billing.payment.domain import PaymentCaptured, PaymentEvent, PaymentFailed, PaymentInitiated
from contracts.events import billing as public
from eventfold import PublicEvent, Recorded


class _Payment(TypedDict):
    """What all facts of a payment say."""

    payment_id: str
    order_id: str
    member_id: str
    provider: str
    merchant_number: str


def to_public(recorded: Recorded) -> PublicEvent:
    """The public form of an event of this slice; all are public, and their moment is the business time."""
    event: PaymentEvent = recorded.event
    at, intent = recorded.occurred_at, event.intent
    same: _Payment = {
        "payment_id": intent.payment_id,
        "order_id": intent.order_id,
        "member_id": intent.member_id,
        "provider": intent.provider,
        "merchant_number": event.merchant_number,
    }
    match event:
        case PaymentInitiated():
            return public.PAYMENT_INITIATED({**same, "amount": told(intent.amount), "initiated_at": at})
        case PaymentCaptured():
            return public.PAYMENT_CAPTURED(
                {
                    **same,
                    "amount": told(intent.amount),
                    "provider_reference": event.provider_reference,
                    "captured_at": at,
                }
            )
        case PaymentFailed():
            return public.PAYMENT_FAILED({**same, "reason": event.reason, "failed_at": at})
        case _:
            assert_never(event)
