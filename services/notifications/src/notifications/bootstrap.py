"""notifications, wired: the slices of which it is made."""

from __future__ import annotations

from pathlib import Path

from contracts.events.notifications import TOPICS
from eventfold_ops.deployment import Deployment
from lyceum.notifications.v1.notifications_pb2_grpc import add_NotificationsServiceServicer_to_server
from notifications.delivery.slice import DELIVERY
from notifications.endpoint.slice import ENDPOINT
from notifications.forgetting import forget_member
from notifications.inbox.slice import INBOX_SLICE
from notifications.settings import NotificationsSettings
from servicekit.operating import deployment_of
from servicekit.slices import made_of

DEFINITION = made_of(
    [ENDPOINT, DELIVERY, INBOX_SLICE],
    name="notifications",
    settings=NotificationsSettings,
    topics=TOPICS,
    migrations=Path(__file__).parent / "migrations",
    grpc_service="lyceum.notifications.v1.NotificationsService",
    add_servicer=add_NotificationsServiceServicer_to_server,
    commands={"forget-member": forget_member},
)


def deployment() -> Deployment:
    """The service for `eventfold --app notifications.bootstrap:deployment`."""
    return deployment_of(DEFINITION)
