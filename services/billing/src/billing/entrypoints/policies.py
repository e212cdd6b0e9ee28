"""Who may call billing's RPCs, and which projections its queries read."""

from __future__ import annotations

from typing import Final

from billing.projections.entitlements import ENTITLEMENTS
from billing.projections.ledger import LEDGER
from billing.projections.orders import ORDER_BOOK
from billing.projections.prices import PRODUCT_PRICES
from servicekit.imports import IMPORTER
from servicekit.policy import Policies, Policy

SERVICE: Final = "lyceum.billing.v1.BillingService"
SELLERS: Final = ("creator", "admin")
MAY_READ_THE_LEDGER: Final = (IMPORTER, "auditor", "admin")

POLICIES: Final[Policies] = {
    "PriceProduct": Policy("command", (*SELLERS, IMPORTER), idempotent=True),
    "GetProduct": Policy("query", anyone=True, reads=(PRODUCT_PRICES.name,)),
    "SchedulePromotion": Policy("command", SELLERS, idempotent=True),
    "CreateQuote": Policy("query"),
    "PlaceOrder": Policy("command", idempotent=True),
    "StartPayment": Policy("command", idempotent=True),
    # A callback is believed for its provider's signature.
    "HandleProviderCallback": Policy("provider", anyone=True),
    "GetOrder": Policy("query", reads=(ORDER_BOOK.name,)),
    "ListOrders": Policy("query", reads=(ORDER_BOOK.name,)),
    "ListEntitlements": Policy("query", reads=(ENTITLEMENTS.name,)),
    "GetTrialBalance": Policy("query", MAY_READ_THE_LEDGER, reads=(LEDGER.name,)),
    "ListPostings": Policy("query", MAY_READ_THE_LEDGER, reads=(LEDGER.name,)),
    "ImportOrders": Policy("import", (IMPORTER,)),
}
