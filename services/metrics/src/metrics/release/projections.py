"""The budgets of all owners, for lists of them. What may be spent is decided by the ledgers themselves."""

from __future__ import annotations

from typing import Final, NamedTuple

from contracts.events import metrics
from eventfold import FoldGroup, ReadTable, adds, on, projection, sets, where


class BudgetRow(NamedTuple):
    """One owner's ledger of one period. `nano`: billionths of epsilon or rho; `femto`: 10^-15 of delta."""

    owner: str
    period: str
    accounting: str | None = None
    granted_nano: int = 0
    granted_delta_femto: int = 0
    open_percent: int = 0
    spent_nano: int = 0
    spent_delta_femto: int = 0
    open_spent_nano: int = 0
    releases: int = 0


BUDGET_ROWS: Final = ReadTable("privacy_budget", BudgetRow, key_columns=2)

# All events about an owner share a partition, and the grant comes before what is paid out of it.
BUDGETS: Final = projection(
    "budgets",
    on(
        BUDGET_ROWS,
        metrics.RELEASE_BUDGET_GRANTED,
        sets(
            accounting="accounting",
            granted_nano="granted_nano",
            granted_delta_femto="granted_delta_femto",
            open_percent="open_percent",
        ),
    ),
    on(
        BUDGET_ROWS,
        metrics.RELEASE_MADE,
        adds(
            spent_nano="cost_nano",
            spent_delta_femto="cost_delta_femto",
            open_spent_nano=where("open", "cost_nano"),
            releases=1,
        ),
    ),
    partition_local=True,
)
GROUPS: Final = (FoldGroup("budgets", (BUDGETS,), parks=True),)
