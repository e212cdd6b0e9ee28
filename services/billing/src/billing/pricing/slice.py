"""The slice of pricing."""

from __future__ import annotations

from typing import Final

from billing.pricing.application import Pricing
from billing.pricing.domain import product, promotion
from billing.pricing.projections import GROUPS
from billing.pricing.publication import to_public
from billing.pricing.queries import Contents, Prices
from billing.pricing.quote_keys import QUOTE_KEY, quote_keys
from billing.pricing.rpc import POLICIES, PricingRpcs
from servicekit.definition import Wiring
from servicekit.slices import Slice


def rpcs(wiring: Wiring) -> PricingRpcs:
    """What the slice serves."""
    signing = quote_keys(wiring.settings)
    pricing = Pricing(wiring.store, wiring.pool, Contents(wiring.queries).of, signing.keys)
    return PricingRpcs(pricing, Prices(wiring.queries))


PRICING: Final = Slice(
    events={**product.EVENTS, **promotion.EVENTS},
    to_public=to_public,
    groups=GROUPS,
    policies=POLICIES,
    rpcs=rpcs,
    key_kinds=lambda _: [QUOTE_KEY],
)
