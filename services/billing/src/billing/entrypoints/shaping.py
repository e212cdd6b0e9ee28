"""Rows and results into answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from billing.adapters.queries import TrialBalance
from billing.application.selling import SignedQuote
from billing.domain.money import Money
from billing.projections.entitlements import EntitlementRow
from billing.projections.ledger import LEDGER, BalanceRow, PostingRow
from billing.projections.orders import OrderRow
from billing.projections.prices import PriceRow
from lyceum.billing.v1 import billing_pb2 as pb
from lyceum.common.v1 import common_pb2
from servicekit.times import freshness, stamp


def amount(amount_minor: int, currency: str) -> common_pb2.Money:
    """An amount on the wire."""
    return common_pb2.Money(amount_minor=amount_minor, currency=currency)


def quote(signed: SignedQuote) -> pb.Quote:
    """A quote with its signature."""
    given, price = signed.quote, signed.quote.price
    return pb.Quote(
        quote_id=given.quote_id, member_id=given.member_id, product_id=given.product_id, creator_id=given.creator_id,
        list=_money(price.list_price), discount=_money(price.discount), charged=_money(price.charged),
        promotion_id=given.promotion_id or "", expires_at=stamp(given.expires_at), signature=signed.signature,
    )  # fmt: skip


def _money(value: Money) -> common_pb2.Money:
    return amount(value.amount_minor, value.currency)


def product(row: PriceRow) -> pb.GetProductResponse:
    """A product with its present price."""
    return pb.GetProductResponse(
        product_id=row.product_id, creator_id=row.creator_id, title=row.title, pricing=row.pricing,
        price=amount(row.amount_minor, row.currency),
    )  # fmt: skip


def order(row: OrderRow) -> pb.Order:
    """An order; paid once it has a time of payment."""
    return pb.Order(
        order_id=row.order_id, member_id=row.member_id, creator_id=row.creator_id, product_id=row.product_id,
        list=amount(row.list_minor, row.currency), discount=amount(row.discount_minor, row.currency),
        charged=amount(row.charged_minor, row.currency), promotion_id=row.promotion_id or "",
        status="paid" if row.paid_at else "placed", placed_at=stamp(row.placed_at),
        paid_at=stamp(row.paid_at) if row.paid_at else None,
    )  # fmt: skip


def entitlement(row: EntitlementRow) -> pb.Entitlement:
    """An entitlement; without an end it is for ever."""
    return pb.Entitlement(
        entitlement_id=row.entitlement_id, product_id=row.product_id, source=row.source,
        granted_at=stamp(row.granted_at), expires_at=stamp(row.expires_at) if row.expires_at else None,
    )  # fmt: skip


def posting(row: PostingRow) -> pb.Posting:
    """A posting; debits are positive."""
    return pb.Posting(
        posting_id=row.posting_id, order_id=row.order_id, account=row.account,
        amount=amount(row.amount_minor, row.currency), occurred_at=stamp(row.occurred_at),
    )  # fmt: skip


def trial_balance(balance: TrialBalance, as_of: datetime) -> pb.GetTrialBalanceResponse:
    """All accounts, with the sum per currency that must be zero."""
    return pb.GetTrialBalanceResponse(
        lines=[pb.TrialBalanceLine(**row._asdict()) for row in balance.lines],
        totals=_totals(balance.lines), as_of=stamp(as_of),
        freshness=freshness((LEDGER.name, one) for one in balance.progress),
    )  # fmt: skip


def _totals(lines: Sequence[BalanceRow]) -> list[pb.CurrencyTotal]:
    sums: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        sums[line.currency] += line.debit_minor - line.credit_minor
    return [pb.CurrencyTotal(currency=currency, sum_minor=total) for currency, total in sorted(sums.items())]
