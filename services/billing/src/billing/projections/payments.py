"""The payment book: what was asked of providers and what has become of it; the reconciler works from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from billing import topics
from eventfold.readmodel import Changes, Draft, Key, Projection, PublicRecord, ReadTable, Rows

_STATUS = {
    topics.PAYMENT_INITIATED: ("initiated", "initiated_at"),
    topics.PAYMENT_CAPTURED: ("captured", "captured_at"),
    topics.PAYMENT_FAILED: ("failed", "failed_at"),
}


class PaymentRow(NamedTuple):
    """A payment; `status` is initiated, captured or failed, since `changed_at`."""

    payment_id: str
    order_id: str
    provider: str
    merchant_number: str
    status: str
    changed_at: datetime


PAYMENTS = ReadTable("payment_book", PaymentRow)


def keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    """One row for each payment."""
    return {PAYMENTS.name: [(event.data["payment_id"],) for event in events]}


def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """A payment's facts arrive in its own order: the last one stands."""
    draft = Draft(rows)
    for event in events:
        if event.type in _STATUS:
            status, moment = _STATUS[event.type]
            data = event.data
            draft.put(
                PAYMENTS,
                PaymentRow(
                    data["payment_id"], data["order_id"], data["provider"], data["merchant_number"], status,
                    data[moment],
                ),
            )  # fmt: skip
    return draft.changes()


PAYMENT_BOOK = Projection("payment_book", (topics.PAYMENT,), (PAYMENTS,), keys, fold, halts=True, partition_local=True)
