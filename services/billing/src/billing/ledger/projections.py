"""The revenue ledger: balanced double-entry postings, folded from paid orders.

An order of list amount L, discount D and charged amount C (L = C + D), with the platform's fee F = floor(C * bps /
10,000), posts: debit `provider_clearing:<provider>` C; credit `creator_payable:<creator>` C - F; credit
`platform_revenue` F; and for memory debit `promotion_discounts` D, credit `list_price_contra` D. Lines of zero are
left out, so that a free order posts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from billing.money import share_bps
from contracts.events import billing as public
from eventfold import Changes, Draft, FoldGroup, Key, Projection, PublicRecord, ReadTable, Rows

PLATFORM_REVENUE = "platform_revenue"
PROMOTION_DISCOUNTS = "promotion_discounts"
LIST_PRICE_CONTRA = "list_price_contra"


class PostingRow(NamedTuple):
    """One line; `amount_minor` is positive for a debit and negative for a credit."""

    posting_id: str
    order_id: str
    account: str
    currency: str
    amount_minor: int
    occurred_at: datetime


class BalanceRow(NamedTuple):
    """An account's totals in one currency, both positive."""

    account: str
    currency: str
    debit_minor: int
    credit_minor: int
    postings: int


POSTINGS = ReadTable("posting", PostingRow)
CREATOR_PAYABLE: Final = "creator_payable:{}"
"""The account of what is owed to a creator."""

BALANCES = ReadTable("account_balance", BalanceRow, key_columns=2)


def entry(data: public.OrderPaid) -> list[tuple[str, int]]:
    """The lines (account, signed amount) of a paid order; they sum to zero."""
    charged = data["charged"]["amount_minor"]
    discount = data["discount"]["amount_minor"]
    fee = share_bps(charged, data["platform_fee_bps"])
    lines = [
        (f"provider_clearing:{data['provider']}", charged),
        (CREATOR_PAYABLE.format(data["creator_id"]), fee - charged),
        (PLATFORM_REVENUE, -fee),
        (PROMOTION_DISCOUNTS, discount),
        (LIST_PRICE_CONTRA, -discount),
    ]
    return [line for line in lines if line[1] != 0]


def postings_of(event: PublicRecord[public.OrderPaid]) -> list[PostingRow]:
    """The postings of a paid order. Ids follow from the event's."""
    data = event.data
    currency = data["charged"]["currency"]
    return [
        PostingRow(
            posting_id=f"{event.id}/{number}",
            order_id=data["order_id"],
            account=account,
            currency=currency,
            amount_minor=amount_minor,
            occurred_at=data["paid_at"],
        )
        for number, (account, amount_minor) in enumerate(entry(data), start=1)
    ]


def keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    """Postings are only ever inserted; balances are read to be moved."""
    return {BALANCES.name: [(row.account, row.currency) for event in events for row in postings_of(event)]}


def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """Insert the postings and move the balances. Sums commute, so the order of partitions does not matter."""
    draft = Draft(rows)
    for posting in (row for event in events for row in postings_of(event)):
        draft.put(POSTINGS, posting)
        draft.put(BALANCES, _moved(draft.get(BALANCES, (posting.account, posting.currency)), posting))
    return draft.changes()


def _moved(balance: BalanceRow | None, posting: PostingRow) -> BalanceRow:
    old = balance or BalanceRow(
        account=posting.account, currency=posting.currency, debit_minor=0, credit_minor=0, postings=0
    )
    return old._replace(
        debit_minor=old.debit_minor + max(0, posting.amount_minor),
        credit_minor=old.credit_minor + max(0, -posting.amount_minor),
        postings=old.postings + 1,
    )


LEDGER = Projection(name="ledger", on=(public.ORDER_PAID,), tables=(POSTINGS, BALANCES), keys=keys, fold=fold)

GROUPS: Final = (FoldGroup("money", (LEDGER,)),)
