"""The service's parts, wired in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import aiohttp
import grpc

from billing.adapters.queries import Queries
from billing.adapters.simulator import Simulator
from billing.adapters.simulator_keys import SimulatorKeys, from_folder, from_url
from billing.application.importing import Importing
from billing.application.paying import Paying
from billing.application.ports import Provider
from billing.application.publication import to_public
from billing.application.reconciling import Reconciler
from billing.application.selling import Selling
from billing.domain.codec import CODEC
from billing.domain.quote import VALID_FOR
from billing.entrypoints.policies import POLICIES, SERVICE
from billing.entrypoints.servicer import BillingServicer, Parts
from billing.processes.grant_after_paid import GRANT_AFTER_PAID
from billing.projections.entitlements import ENTITLEMENTS
from billing.projections.ledger import LEDGER
from billing.projections.orders import ORDER_BOOK
from billing.projections.owners import CONTENT_OWNERS
from billing.projections.prices import PRODUCT_PRICES, PROMOTION_TERMS
from billing.settings import BillingSettings
from contracts.events.billing import TOPICS
from eventfold import FoldGroup
from eventfold_ops.deployment import Deployment
from lyceum.billing.v1 import billing_pb2_grpc
from servicekit import keys
from servicekit.background import Work
from servicekit.definition import ServiceDefinition, Wiring
from servicekit.keyring import KeyRing
from servicekit.leading import due_worker
from servicekit.operating import deployment_of
from servicekit.policy import guarded
from servicekit.rotation import KeyKind
from servicekit.server import read_gate


def providers_of(settings: BillingSettings, http: aiohttp.ClientSession) -> Mapping[str, Provider]:
    """The configured providers by name. The simulator moves no money: it is never on in production."""
    url, folder = settings.payment_simulator_url, settings.payment_simulator_key_dir
    if not (settings.is_local and url):
        return {}
    simulator_keys = SimulatorKeys(from_folder(folder) if folder else from_url(http, url))
    callback_url = f"{settings.public_url.rstrip('/')}/v1/callbacks/{Simulator.name}"
    return {Simulator.name: Simulator(http, url, callback_url, simulator_keys)}


QUOTE = "quote.key"


class Server:
    """What runs in the serving process: servicer and reconciler share the providers and their HTTP session."""

    def __init__(self) -> None:
        self._paying: Paying | None = None

    async def register(self, wiring: Wiring, server: grpc.aio.Server) -> Sequence[str]:
        """Add the servicer; returns its full name."""
        servicer = guarded(SERVICE, [(BillingServicer(self._parts(wiring)), POLICIES)], read_gate(wiring))
        billing_pb2_grpc.add_BillingServiceServicer_to_server(servicer, server)
        return [SERVICE]

    def background(self, wiring: Wiring) -> Mapping[str, Work]:
        """The worker that asks after open payments."""
        expires_after = timedelta(seconds=wiring.settings.payment_expires_after_s)
        reconciler = Reconciler(self._shared_paying(wiring).provider, expires_after)
        return {"reconciler": due_worker(wiring, [reconciler.handler]).run}

    def _parts(self, wiring: Wiring) -> Parts:
        settings: BillingSettings = wiring.settings
        quote_keys = KeyRing(settings.key_dir, QUOTE, keys.hmac_key)
        quote_keys.reload()
        queries = Queries(wiring.queries)
        return Parts(
            selling=Selling(wiring.store, wiring.pool, queries, quote_keys.keys, settings.platform_fee_bps),
            paying=self._shared_paying(wiring),
            importing=Importing(wiring.store, wiring.pool, queries, settings.platform_fee_bps),
            queries=queries,
        )

    def _shared_paying(self, wiring: Wiring) -> Paying:
        if self._paying is None:
            http = aiohttp.ClientSession()
            wiring.closing.add("http", http.close)
            self._paying = Paying(wiring.store, wiring.pool, providers_of(wiring.settings, http))
        return self._paying


SERVER = Server()

DEFINITION = ServiceDefinition(
    name="billing",
    settings=BillingSettings,
    migrations=Path(__file__).parent / "migrations",
    codec=CODEC,
    to_public=to_public,
    register=SERVER.register,
    policies={SERVICE: POLICIES},
    topics=TOPICS,
    groups=(
        FoldGroup(
            "money",
            (LEDGER, ORDER_BOOK, ENTITLEMENTS, PRODUCT_PRICES, PROMOTION_TERMS, CONTENT_OWNERS),
            (GRANT_AFTER_PAID,),
        ),
    ),
    background=SERVER.background,
    key_kinds=lambda _: [KeyKind("quote", QUOTE, keys.hmac_key, needed_s=VALID_FOR.total_seconds())],
)


def deployment() -> Deployment:
    """The service for `eventfold --app billing.bootstrap:deployment`."""
    return deployment_of(DEFINITION)
