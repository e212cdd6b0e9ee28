"""Which endpoints there are, and of what they are told."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from contracts.events import notifications as public
from eventfold import FoldGroup, ReadTable, always, on, projection, puts, sets


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


INDEX = projection(
    "endpoints",
    puts(ENDPOINT_TABLE, public.ENDPOINT_REGISTERED, state=always("enabled"), reason=always("")),
    on(ENDPOINT_TABLE, public.ENDPOINT_CHANGED, sets(types="types"), known_only=True),
    on(
        ENDPOINT_TABLE,
        public.ENDPOINT_DISABLED,
        sets(state=always("disabled"), reason="reason"),
        known_only=True,
    ),
    on(
        ENDPOINT_TABLE,
        public.ENDPOINT_ENABLED,
        sets(state=always("enabled"), reason=always("")),
        known_only=True,
    ),
    on(
        ENDPOINT_TABLE,
        public.ENDPOINT_REMOVED,
        sets(state=always("removed"), reason=always(""), types=always([])),
        known_only=True,
    ),
    partition_local=True,
)

GROUPS: Final = (FoldGroup("webhooks", (INDEX,), parks=True),)
