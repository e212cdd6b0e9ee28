"""Postings and balances into answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from billing.fields import amount
from billing.ledger.projections import LEDGER, BalanceRow, PostingRow
from billing.ledger.queries import TrialBalance
from lyceum.billing.v1 import billing_pb2 as pb
from servicekit.times import freshness, stamp


def posting(row: PostingRow) -> pb.Posting:
    """A posting; debits are positive."""
    return pb.Posting(
        posting_id=row.posting_id,
        order_id=row.order_id,
        account=row.account,
        amount=amount(row.amount_minor, row.currency),
        occurred_at=stamp(row.occurred_at),
    )


def trial_balance(balance: TrialBalance, as_of: datetime) -> pb.GetTrialBalanceResponse:
    """All accounts, with the sum per currency that must be zero."""
    return pb.GetTrialBalanceResponse(
        lines=[pb.TrialBalanceLine(**row._asdict()) for row in balance.lines],
        totals=_totals(balance.lines),
        as_of=stamp(as_of),
        freshness=freshness((LEDGER.name, one) for one in balance.progress),
    )


def _totals(lines: Sequence[BalanceRow]) -> list[pb.CurrencyTotal]:
    sums: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        sums[line.currency] += line.debit_minor - line.credit_minor
    return [pb.CurrencyTotal(currency=currency, sum_minor=total) for currency, total in sorted(sums.items())]
