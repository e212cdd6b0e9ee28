"""The service's parts, wired in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import grpc

from eventfold import EventCodec, FoldGroup
from eventfold_ops.deployment import Deployment
from lyceum.reco.v1 import reco_pb2_grpc
from reco.adapters.tables import PostgresFactorTables
from reco.application.live_factors import LiveFactors
from reco.application.pairs import Bounds, Pairs
from reco.application.publication import to_public
from reco.entrypoints.follower import follow
from reco.entrypoints.policies import POLICIES, SERVICE
from reco.entrypoints.servicer import RecoServicer
from reco.projections.factors import FACTORS
from reco.settings import RecoSettings
from servicekit.background import Work
from servicekit.definition import ServiceDefinition, Wiring
from servicekit.operating import deployment_of
from servicekit.policy import guarded
from servicekit.server import read_gate


class Server:
    """The serving process's parts: the servicer and its follower share one copy of the factors."""

    def __init__(self) -> None:
        self._factors: LiveFactors | None = None

    async def register(self, wiring: Wiring, server: grpc.aio.Server) -> Sequence[str]:
        """Add the servicer; returns its full name."""
        servicer = guarded(SERVICE, [(RecoServicer(self._shared(wiring)), POLICIES)], read_gate(wiring))
        reco_pb2_grpc.add_RecoServiceServicer_to_server(servicer, server)
        return [SERVICE]

    def background(self, wiring: Wiring) -> Mapping[str, Work]:
        """The follower of the read tables."""
        return {"follower": partial(follow, self._shared(wiring), wiring.settings.reco_refresh_s)}

    def _shared(self, wiring: Wiring) -> LiveFactors:
        if self._factors is None:
            settings: RecoSettings = wiring.settings
            bounds = Bounds(settings.reco_max_items, settings.reco_max_pairs, settings.reco_max_history_items)
            self._factors = LiveFactors(PostgresFactorTables(wiring.queries), Pairs(bounds))
        return self._factors


SERVER = Server()

DEFINITION = ServiceDefinition(
    name="reco",
    settings=RecoSettings,
    migrations=Path(__file__).parent / "migrations",
    codec=EventCodec({}),
    to_public=to_public,
    register=SERVER.register,
    policies={SERVICE: POLICIES},
    groups=(FoldGroup("factors", (FACTORS,), parks=True),),
    linger_s=0.1,
    background=SERVER.background,
)


def deployment() -> Deployment:
    """The service for `eventfold --app reco.bootstrap:deployment`."""
    return deployment_of(DEFINITION)
