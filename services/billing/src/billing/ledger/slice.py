"""The slice of the ledger."""

from __future__ import annotations

from typing import Final

from billing.ledger.projections import GROUPS
from billing.ledger.queries import Postings
from billing.ledger.rpc import POLICIES, LedgerRpcs
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> LedgerRpcs:
    """What the slice serves."""
    return LedgerRpcs(Postings(wiring.queries))


LEDGER: Final = Slice(groups=GROUPS, policies=POLICIES, rpcs=rpcs)
