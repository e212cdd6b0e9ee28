"""The service's parts, wired in one place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import grpc

from eventfold import EventCodec, FoldGroup
from eventfold_ops.deployment import Deployment
from lyceum.metrics.v1 import metrics_pb2_grpc
from metrics.adapters.figures_postgres import postgres_look
from metrics.application.publication import to_public
from metrics.entrypoints.policies import POLICIES, SERVICE
from metrics.entrypoints.servicer import MetricsServicer
from metrics.projections.activity import activity
from metrics.projections.orders import ORDER_FACTS
from metrics.projections.registry import REGISTRY
from metrics.settings import MetricsSettings, ZoneSettings
from servicekit.definition import ServiceDefinition, Wiring
from servicekit.operating import deployment_of
from servicekit.policy import guarded
from servicekit.server import read_gate


async def register(wiring: Wiring, server: grpc.aio.Server) -> Sequence[str]:
    """Add the servicer; returns its full name."""
    zone = wiring.settings.zone
    servicer = MetricsServicer(postgres_look(wiring.queries, zone), zone)
    admitting = guarded(SERVICE, [(servicer, POLICIES)], read_gate(wiring))
    metrics_pb2_grpc.add_MetricsServiceServicer_to_server(admitting, server)
    return [SERVICE]


DEFINITION = ServiceDefinition(
    name="metrics",
    settings=MetricsSettings,
    migrations=Path(__file__).parent / "migrations",
    codec=EventCodec({}),
    to_public=to_public,
    register=register,
    policies={SERVICE: POLICIES},
    groups=(
        FoldGroup("money", (ORDER_FACTS,)),
        FoldGroup("activity", (activity(ZoneSettings().zone), REGISTRY), parks=True),
    ),
    linger_s=0.25,
)


def deployment() -> Deployment:
    """The service for `eventfold --app metrics.bootstrap:deployment`."""
    return deployment_of(DEFINITION)
