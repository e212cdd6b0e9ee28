"""Answers about deliveries and types."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from lyceum.notifications.v1 import notifications_pb2 as pb
from notifications.delivery.queries import AttemptRow, DeliveryRow
from notifications.event_types import TOLD
from notifications.json_schemas import data_schema
from servicekit.times import timestamp

OPEN = ("due", "waiting")


def delivery_message(row: DeliveryRow, attempts: Sequence[AttemptRow]) -> pb.Delivery:
    """A delivery as its owner sees it; one that waits behind another is due, too, but nobody knows when."""
    return pb.Delivery(
        delivery_id=row.event_id,
        type=row.type,
        aggregate=row.aggregate,
        occurred_at=timestamp(row.occurred_at),
        state="due" if row.state in OPEN else row.state,
        next_attempt_at=timestamp(row.due_at) if row.state == "due" else None,
        attempts=[
            pb.DeliveryAttempt(at=timestamp(one.at), status=one.status, took_ms=one.took_ms, said=one.said)
            for one in attempts
        ],
        created_at=timestamp(row.created_at),
    )


def event_type_messages() -> list[pb.EventType]:
    """The registry, with the schema of each type."""
    made = []
    for one in TOLD.values():
        schema = data_schema(one.event.name)
        text = orjson.dumps(schema).decode()
        description = str(schema.get("description", ""))
        made.append(pb.EventType(name=one.name, description=description, data_schema_json=text, scopes=one.scopes))
    return made
