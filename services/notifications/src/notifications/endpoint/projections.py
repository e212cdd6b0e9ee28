"""Which endpoints there are, and of what they are told."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import notifications as public
from eventfold import FoldGroup, ReadTable, on, projection, puts, sets


class EndpointRow(NamedTuple):
    """An endpoint without its address. `state` is enabled, disabled or removed; `reason` is why it is disabled."""

    endpoint_id: str
    member_id: str
    scope: str
    types: list[str]
    state: str
    reason: str
    registered_at: datetime


ENDPOINT_TABLE = ReadTable("endpoint", EndpointRow)


def _registered(data: public.EndpointRegistered) -> EndpointRow:
    return EndpointRow(
        endpoint_id=data["endpoint_id"],
        member_id=data["member_id"],
        scope=data["scope"],
        types=data["types"],
        state="enabled",
        reason="",
        registered_at=data["registered_at"],
    )


INDEX = projection(
    "endpoints",
    puts(ENDPOINT_TABLE, public.ENDPOINT_REGISTERED, _registered),
    on(ENDPOINT_TABLE, public.ENDPOINT_CHANGED, sets(types=lambda e: e["types"]), known_only=True),
    on(
        ENDPOINT_TABLE,
        public.ENDPOINT_DISABLED,
        sets(state=lambda _: "disabled", reason=lambda e: e["reason"]),
        known_only=True,
    ),
    on(
        ENDPOINT_TABLE,
        public.ENDPOINT_ENABLED,
        sets(state=lambda _: "enabled", reason=lambda _: ""),
        known_only=True,
    ),
    on(
        ENDPOINT_TABLE,
        public.ENDPOINT_REMOVED,
        sets(state=lambda _: "removed", reason=lambda _: "", types=lambda _: []),
        known_only=True,
    ),
    partition_local=True,
)

GROUPS: Final = (FoldGroup("webhooks", (INDEX,), parks=True),)
