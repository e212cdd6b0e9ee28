"""Orders into answers."""

from __future__ import annotations

from billing.fields import amount
from billing.order.projections import OrderRow
from lyceum.billing.v1 import billing_pb2 as pb
from servicekit.times import stamp


def order(row: OrderRow) -> pb.Order:
    """An order; paid once it has a time of payment."""
    return pb.Order(
        order_id=row.order_id,
        member_id=row.member_id,
        creator_id=row.creator_id,
        product_id=row.product_id,
        list=amount(row.list_minor, row.currency),
        discount=amount(row.discount_minor, row.currency),
        charged=amount(row.charged_minor, row.currency),
        promotion_id=row.promotion_id or "",
        status="paid" if row.paid_at else "placed",
        placed_at=stamp(row.placed_at),
        paid_at=stamp(row.paid_at) if row.paid_at else None,
    )
