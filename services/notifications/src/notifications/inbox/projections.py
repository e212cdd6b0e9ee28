"""What stands in each member's inbox, and how far it is read."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import billing, identity
from contracts.events import notifications as own
from eventfold import FoldGroup, PublicRecord, ReadTable, becomes, most, on, projection

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


def _bought(_: NotificationRow | None, event: PublicRecord[billing.OrderPaid]) -> NotificationRow | None:
    data = event.data
    return _of_order(data, data["member_id"], "order_paid")


def _sold(_: NotificationRow | None, event: PublicRecord[billing.OrderPaid]) -> NotificationRow | None:
    data = event.data
    return _of_order(data, data["creator_id"], "order_received")


def _of_order(data: billing.OrderPaid, member_id: str, kind: str) -> NotificationRow | None:
    if data["provider"] in IMPORTED:
        return None
    about, at = data["order_id"], data["paid_at"]
    return _row(member_id, kind, about, at, product_id=data["product_id"], order_id=about, charged=data["charged"])


def _granted(_: NotificationRow | None, event: PublicRecord[billing.EntitlementGranted]) -> NotificationRow | None:
    data = event.data
    if data["source"] in IMPORTED:
        return None
    order_id, about = data["order_id"], data["entitlement_id"]
    return _row(
        data["member_id"],
        "access_granted",
        about,
        data["granted_at"],
        product_id=data["product_id"],
        order_id=order_id,
    )


def _failed(_: NotificationRow | None, event: PublicRecord[billing.PaymentFailed]) -> NotificationRow:
    data = event.data
    return _row(data["member_id"], "payment_failed", data["payment_id"], data["failed_at"], order_id=data["order_id"])


def _promoted(_: NotificationRow | None, event: PublicRecord[identity.MemberRoleGranted]) -> NotificationRow:
    data = event.data
    at = data["granted_at"]
    return _row(data["member_id"], "role_granted", at.isoformat(), at, role=data["role"])


def _disabled(_: NotificationRow | None, event: PublicRecord[own.EndpointDisabled]) -> NotificationRow | None:
    """The owner is told when the sender did it; who asked for it knows."""
    data, at = event.data, event.data["disabled_at"]
    if data["reason"] == "asked":
        return None
    return _row(data["member_id"], "webhook_disabled", f"{data['endpoint_id']}.{at.isoformat()}", at)


INBOX_FOLD = projection(
    "inbox",
    becomes(NOTIFICATIONS, billing.ORDER_PAID, _bought, key=lambda e: (e["member_id"], f"order_paid.{e['order_id']}")),
    becomes(
        NOTIFICATIONS, billing.ORDER_PAID, _sold, key=lambda e: (e["creator_id"], f"order_received.{e['order_id']}")
    ),
    becomes(
        NOTIFICATIONS,
        billing.ENTITLEMENT_GRANTED,
        _granted,
        key=lambda e: (e["member_id"], f"access_granted.{e['entitlement_id']}"),
    ),
    becomes(
        NOTIFICATIONS,
        billing.PAYMENT_FAILED,
        _failed,
        key=lambda e: (e["member_id"], f"payment_failed.{e['payment_id']}"),
    ),
    becomes(
        NOTIFICATIONS,
        identity.MEMBER_ROLE_GRANTED,
        _promoted,
        key=lambda e: (e["member_id"], f"role_granted.{e['granted_at'].isoformat()}"),
    ),
    becomes(
        NOTIFICATIONS,
        own.ENDPOINT_DISABLED,
        _disabled,
        key=lambda e: (e["member_id"], f"webhook_disabled.{e['endpoint_id']}.{e['disabled_at'].isoformat()}"),
    ),
    on(READ, own.INBOX_READ, most(read_until="read_up_to_at")),
)

GROUPS: Final = (FoldGroup("inbox", (INBOX_FOLD,), parks=True),)
