"""catalog, wired: the slices of which it is made."""

from __future__ import annotations

from pathlib import Path

from catalog.access.slice import ACCESS
from catalog.content.slice import CONTENT
from catalog.interaction.slice import INTERACTION
from contracts.events.catalog import TOPICS
from eventfold_ops.deployment import Deployment
from lyceum.catalog.v1.catalog_pb2_grpc import add_CatalogServiceServicer_to_server
from servicekit.operating import deployment_of
from servicekit.settings import ServiceSettings
from servicekit.slices import made_of

DEFINITION = made_of(
    [ACCESS, CONTENT, INTERACTION],
    name="catalog",
    settings=ServiceSettings,
    topics=TOPICS,
    migrations=Path(__file__).parent / "migrations",
    grpc_service="lyceum.catalog.v1.CatalogService",
    add_servicer=add_CatalogServiceServicer_to_server,
)


def deployment() -> Deployment:
    """The service for `eventfold --app catalog.bootstrap:deployment`."""
    return deployment_of(DEFINITION)
