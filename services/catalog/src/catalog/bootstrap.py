"""catalog, wired."""

from __future__ import annotations

from pathlib import Path

import grpc

from catalog.adapters.bylines import Bylines
from catalog.adapters.queries import Queries
from catalog.application.interacting import Interacting
from catalog.application.publication import to_public
from catalog.application.publishing import Publishing
from catalog.domain.codec import CODEC
from catalog.entrypoints.policies import POLICIES, SERVICE
from catalog.entrypoints.servicer import CatalogServicer, Parts
from catalog.projections.access_mirror import MIRROR
from catalog.projections.contents import COMMENTING, COUNTING, INDEX
from contracts.events.catalog import TOPICS
from eventfold.readmodel import FoldGroup
from eventfold_ops.deployment import Deployment
from lyceum.catalog.v1.catalog_pb2_grpc import add_CatalogServiceServicer_to_server
from servicekit.definition import ServiceDefinition, Wiring
from servicekit.operating import deployment_of
from servicekit.policy import guarded
from servicekit.server import read_gate
from servicekit.settings import ServiceSettings


async def register(wiring: Wiring, server: grpc.aio.Server) -> list[str]:
    """Add the servicer."""
    parts = Parts(
        publishing=Publishing(wiring.store, wiring.pool, wiring.subject_keys),
        interacting=Interacting(wiring.store, wiring.pool, wiring.subject_keys),
        queries=Queries(wiring.queries),
        bylines=Bylines(wiring.queries, wiring.subject_keys),
    )
    servicer = guarded(SERVICE, CatalogServicer(parts), POLICIES, read_gate(wiring))
    add_CatalogServiceServicer_to_server(servicer, server)
    return [SERVICE]


DEFINITION = ServiceDefinition(
    name="catalog",
    settings=ServiceSettings,
    migrations=Path(__file__).parent / "migrations",
    codec=CODEC,
    to_public=to_public,
    register=register,
    policies={SERVICE: POLICIES},
    topics=TOPICS,
    groups=(FoldGroup("access", (MIRROR,)), FoldGroup("feed", (INDEX, COUNTING, COMMENTING), parks=True)),
)


def deployment() -> Deployment:
    """The service for `eventfold --app catalog.bootstrap:deployment`."""
    return deployment_of(DEFINITION)
