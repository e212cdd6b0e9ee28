"""Answers about inboxes."""

from __future__ import annotations

from datetime import datetime

from lyceum.common.v1 import common_pb2
from lyceum.notifications.v1 import notifications_pb2 as pb
from notifications.inbox.projections import NotificationRow
from servicekit.times import timestamp


def notification_message(row: NotificationRow, read_until: datetime | None = None) -> pb.Notification:
    """A notification as its member sees it."""
    return pb.Notification(
        notification_id=row.notification_id,
        kind=row.kind,
        occurred_at=timestamp(row.occurred_at),
        read=read_until is not None and row.occurred_at <= read_until,
        product_id=row.product_id or "",
        order_id=row.order_id or "",
        amount=_amount(row),
        role=row.role or "",
    )


def _amount(row: NotificationRow) -> common_pb2.Money | None:
    if row.amount_minor is None or row.currency is None:
        return None
    return common_pb2.Money(amount_minor=row.amount_minor, currency=row.currency)
