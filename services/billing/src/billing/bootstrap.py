"""billing, wired: the slices of which it is made."""

from __future__ import annotations

from pathlib import Path

from billing.entitlement.slice import ENTITLEMENT
from billing.ledger.slice import LEDGER
from billing.order.slice import ORDER
from billing.payment.slice import PAYMENT
from billing.pricing.slice import PRICING
from billing.settings import BillingSettings
from contracts.events.billing import TOPICS
from eventfold_ops.deployment import Deployment
from lyceum.billing.v1.billing_pb2_grpc import add_BillingServiceServicer_to_server
from servicekit.operating import deployment_of
from servicekit.slices import made_of

SERVICE = "lyceum.billing.v1.BillingService"

DEFINITION = made_of(
    [PRICING, ORDER, PAYMENT, ENTITLEMENT, LEDGER],
    name="billing",
    settings=BillingSettings,
    topics=TOPICS,
    migrations=Path(__file__).parent / "migrations",
    grpc_service=SERVICE,
    add_servicer=add_BillingServiceServicer_to_server,
)


def deployment() -> Deployment:
    """The service for `eventfold --app billing.bootstrap:deployment`."""
    return deployment_of(DEFINITION)
