"""Answers about endpoints."""

from __future__ import annotations

from datetime import datetime

from lyceum.notifications.v1 import notifications_pb2 as pb
from notifications.endpoint.application import Plain
from notifications.endpoint.domain import Endpoint
from servicekit.times import timestamp


def endpoint_message(endpoint_id: str, endpoint: Endpoint, plain: Plain, now: datetime) -> pb.Endpoint:
    """An endpoint as its owner sees it."""
    ending = endpoint.active_ending(now)
    return pb.Endpoint(
        endpoint_id=endpoint_id,
        member_id=endpoint.member_id,
        url=plain.url,
        types=endpoint.types,
        scope=endpoint.scope,
        description=plain.description,
        state="disabled" if endpoint.disabled else "enabled",
        disabled_reason=endpoint.disabled or "",
        registered_at=timestamp(endpoint.registered_at),
        previous_secret_ends_at=timestamp(ending.ends_at) if ending else None,
    )
