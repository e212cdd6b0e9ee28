"""The slice of orders."""

from __future__ import annotations

from typing import Final

from billing.order.application import Ordering
from billing.order.domain import order, purchase
from billing.order.importing import Importing
from billing.order.projections import GROUPS
from billing.order.publication import to_public
from billing.order.queries import Members, Orders
from billing.order.rpc import POLICIES, OrderRpcs
from billing.pricing.queries import Contents
from billing.pricing.quote_keys import quote_keys
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> OrderRpcs:
    """What the slice serves."""
    fee_bps = wiring.settings.platform_fee_bps
    ordering = Ordering(wiring.store, wiring.pool, quote_keys(wiring.settings).keys, fee_bps)
    importing = Importing(wiring.store, wiring.pool, Contents(wiring.queries).of, fee_bps)
    return OrderRpcs(ordering, importing, Orders(wiring.queries), Members(wiring.queries).known)


ORDER: Final = Slice(
    events={**order.EVENTS, **purchase.EVENTS},
    to_public=to_public,
    groups=GROUPS,
    policies=POLICIES,
    rpcs=rpcs,
)
