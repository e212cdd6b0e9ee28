"""reco, wired: the slices of which it is made."""

from __future__ import annotations

from pathlib import Path

from contracts.events.reco import TOPICS
from eventfold_ops.deployment import Deployment
from lyceum.reco.v1.reco_pb2_grpc import add_RecoServiceServicer_to_server
from reco.impression.slice import IMPRESSION
from reco.preference.slice import PREFERENCE
from reco.recommendation.slice import RECOMMENDATION
from reco.settings import RecoSettings
from servicekit.operating import deployment_of
from servicekit.slices import made_of

DEFINITION = made_of(
    [IMPRESSION, PREFERENCE, RECOMMENDATION],
    name="reco",
    settings=RecoSettings,
    topics=TOPICS,
    migrations=Path(__file__).parent / "migrations",
    grpc_service="lyceum.reco.v1.RecoService",
    add_servicer=add_RecoServiceServicer_to_server,
    linger_s=0.1,
)


def deployment() -> Deployment:
    """The service for `eventfold --app reco.bootstrap:deployment`."""
    return deployment_of(DEFINITION)
