"""What stands in each member's inbox, and how far it is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import billing, identity
from contracts.events import notifications as own
from eventfold import Data, FoldGroup, PublicType, ReadTable, Rule, becomes, most, on, projection

IMPORTED: Final = ("import", "imported")
"""Sources of what happened elsewhere, years ago perhaps: nobody is to be told of it now."""


class NotificationRow(NamedTuple):
    """One thing that happened to a member: ids and money. What a kind has no use for is None."""

    member_id: str
    notification_id: str
    kind: str
    occurred_at: datetime
    product_id: str | None
    order_id: str | None
    amount_minor: int | None
    currency: str | None
    role: str | None


class ReadRow(NamedTuple):
    """How far a member has read."""

    member_id: str
    read_until: datetime


NOTIFICATIONS = ReadTable("notification", NotificationRow, key_columns=2)
READ = ReadTable("inbox_read", ReadRow)


def _row(
    member_id: str,
    kind: str,
    about: str,
    occurred_at: datetime,
    *,
    product_id: str | None = None,
    order_id: str | None = None,
    charged: billing.Money | None = None,
    role: str | None = None,
) -> NotificationRow:
    """A row whose id says what it is about: told twice, it is one."""
    amount_minor, currency = (charged["amount_minor"], charged["currency"]) if charged else (None, None)
    return NotificationRow(
        member_id, f"{kind}.{about}", kind, occurred_at, product_id, order_id, amount_minor, currency, role
    )


def _tells(
    event: PublicType[Data], row: Callable[[Data], NotificationRow], unless: Callable[[Data], bool] = lambda _: False
) -> Rule[Data]:
    """Each event makes its row, unless nobody is to be told of it."""
    return becomes(
        NOTIFICATIONS,
        event,
        lambda _, one: None if unless(one.data) else row(one.data),
        key=lambda data: NOTIFICATIONS.key(row(data)),
    )


def _bought(data: billing.OrderPaid) -> NotificationRow:
    return _of_order(data, data["member_id"], "order_paid")


def _sold(data: billing.OrderPaid) -> NotificationRow:
    return _of_order(data, data["creator_id"], "order_received")


def _of_order(data: billing.OrderPaid, member_id: str, kind: str) -> NotificationRow:
    about, at = data["order_id"], data["paid_at"]
    return _row(member_id, kind, about, at, product_id=data["product_id"], order_id=about, charged=data["charged"])


def _granted(data: billing.EntitlementGranted) -> NotificationRow:
    about, at = data["entitlement_id"], data["granted_at"]
    product_id, order_id = data["product_id"], data["order_id"]
    return _row(data["member_id"], "access_granted", about, at, product_id=product_id, order_id=order_id)


def _failed(data: billing.PaymentFailed) -> NotificationRow:
    return _row(data["member_id"], "payment_failed", data["payment_id"], data["failed_at"], order_id=data["order_id"])


def _promoted(data: identity.MemberRoleGranted) -> NotificationRow:
    at = data["granted_at"]
    return _row(data["member_id"], "role_granted", at.isoformat(), at, role=data["role"])


def _disabled(data: own.EndpointDisabled) -> NotificationRow:
    at = data["disabled_at"]
    return _row(data["member_id"], "webhook_disabled", f"{data['endpoint_id']}.{at.isoformat()}", at)


def _of_import(data: billing.OrderPaid) -> bool:
    return data["provider"] in IMPORTED


INBOX_FOLD = projection(
    "inbox",
    _tells(billing.ORDER_PAID, _bought, unless=_of_import),
    _tells(billing.ORDER_PAID, _sold, unless=_of_import),
    _tells(billing.ENTITLEMENT_GRANTED, _granted, unless=lambda data: data["source"] in IMPORTED),
    _tells(billing.PAYMENT_FAILED, _failed),
    _tells(identity.MEMBER_ROLE_GRANTED, _promoted),
    _tells(own.ENDPOINT_DISABLED, _disabled, unless=lambda data: data["reason"] == "asked"),  # who asked for it knows
    on(READ, own.INBOX_READ, most(read_until="read_up_to_at")),
)

GROUPS: Final = (FoldGroup("inbox", (INBOX_FOLD,), parks=True),)
