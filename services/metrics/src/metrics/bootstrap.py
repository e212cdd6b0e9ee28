"""metrics, wired: the slices of which it is made, over the folded facts."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from contracts.events.metrics import TOPICS
from eventfold_ops.deployment import Deployment
from lyceum.metrics.v1.metrics_pb2_grpc import add_MetricsServiceServicer_to_server
from metrics.activity.slice import ACTIVITY
from metrics.conversion.slice import CONVERSION
from metrics.projections.groups import groups
from metrics.quality.slice import QUALITY
from metrics.release.slice import RELEASE
from metrics.retention.slice import RETENTION
from metrics.revenue.slice import REVENUE
from metrics.settings import MetricsSettings, ZoneSettings
from servicekit.definition import ServiceDefinition
from servicekit.operating import deployment_of
from servicekit.slices import Slice, made_of


def definition(zone: ZoneInfo) -> ServiceDefinition:
    """The service with calendar days of `zone`, in which its folds count."""
    return made_of(
        [Slice(groups=groups(zone)), ACTIVITY, RETENTION, REVENUE, CONVERSION, QUALITY, RELEASE],
        name="metrics",
        settings=MetricsSettings,
        topics=TOPICS,
        migrations=Path(__file__).parent / "migrations",
        grpc_service="lyceum.metrics.v1.MetricsService",
        add_servicer=add_MetricsServiceServicer_to_server,
        linger_s=0.25,
    )


DEFINITION = definition(ZoneSettings().zone)


def deployment() -> Deployment:
    """The service for `eventfold --app metrics.bootstrap:deployment`."""
    return deployment_of(DEFINITION)
