"""What happened and may be told, with the body that every receiver gets. Which endpoints are told is decided apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from contracts.events import identity
from eventfold import (
    Changes,
    Draft,
    FoldGroup,
    Key,
    Projection,
    PublicRecord,
    ReadTable,
    Rows,
    on,
    projection,
    puts,
    sets,
)
from notifications.event_types import TOLD, Told


class HappenedRow(NamedTuple):
    """An event that may be told. `aggregate` is what it is about, `concerns` the member whom it concerns, if the event
    says so, and `seq` its number among those of the service that emitted it."""

    event_id: str
    type: str
    aggregate: str
    concerns: str | None
    seq: int
    occurred_at: datetime
    recorded_at: datetime
    body: str


HAPPENED_TABLE = ReadTable("happened", HappenedRow, followed=True, swept_by="recorded_at")
_BY_HEADER: Final[Mapping[bytes, Told]] = {one.event.header: one for one in TOLD.values()}


def body_of(event_id: str, name: str, at: datetime, data: Mapping[str, Any]) -> str:
    """The text that is signed and sent, byte for byte the same at each attempt."""
    content = {"id": event_id, "type": name, "timestamp": at, "data": data}
    return orjson.dumps(content, option=orjson.OPT_UTC_Z).decode()


def happened(event: PublicRecord[Any]) -> HappenedRow:
    """The row of an event of a type that may be told."""
    told = _BY_HEADER[event.headers["ce_type"]]
    return HappenedRow(
        event_id=event.id,
        type=told.name,
        aggregate=event.stream,
        concerns=told.concerns(event.data) if told.concerns else None,
        seq=event.seq,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        body=body_of(event.id, told.name, event.occurred_at, event.data),
    )


def _keys(_: Sequence[PublicRecord]) -> Mapping[str, Iterable[Key]]:
    """No row depends on another."""
    return {}


def _fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    """What an import brings in happened elsewhere, long ago: it is told to nobody."""
    draft = Draft(rows)
    for event in events:
        if not event.backfill:
            draft.put(HAPPENED_TABLE, happened(event))
    return draft.changes()


HAPPENED = Projection(
    name="happened",
    on=tuple(one.event for one in TOLD.values()),
    tables=(HAPPENED_TABLE,),
    keys=_keys,
    fold=_fold,
    partition_local=True,
)


class RoleRow(NamedTuple):
    """The role that a member has now."""

    member_id: str
    role: str


ROLE_TABLE = ReadTable("member_role", RoleRow)

ROLES = projection(
    "member_roles",
    puts(ROLE_TABLE, identity.MEMBER_REGISTERED),
    on(ROLE_TABLE, identity.MEMBER_ROLE_GRANTED, sets(role="role"), known_only=True),
    partition_local=True,
)

GROUPS: Final = (FoldGroup("webhooks", (HAPPENED, ROLES), parks=True),)
