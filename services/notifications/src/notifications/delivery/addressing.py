"""Where deliveries go, and under which secrets: endpoints as they stand now, opened, for a whole look at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag

from eventfold import Connection, DataKey, EventStore, SubjectKeys
from eventfold.errors import KeyDestroyed, NotFound
from notifications.endpoint.domain import ENDPOINT, Endpoint
from notifications.secrets import opened

_SECRETS: Final = """SELECT s.endpoint_id, s.secret_id, s.box FROM endpoint_secret s
JOIN unnest(%s::text[], %s::text[]) AS k(endpoint_id, secret_id) USING (endpoint_id, secret_id)"""


class Addressed(NamedTuple):
    """Where to send, and the secrets that sign, the newest first. Without secrets nothing may be sent."""

    url: str
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Addresser:
    """Opens addresses and secrets. Every call reads streams and keys anew: what was disabled, changed or forgotten a
    moment ago counts."""

    store: EventStore
    keys: SubjectKeys

    async def of(self, endpoint_ids: Iterable[str], now: datetime) -> Mapping[str, Addressed]:
        """Those of the endpoints that may be sent to, by id; what is disabled or removed is left out. One whose
        member's key is destroyed, or whose seals do not open, has no secrets."""
        ids = sorted(set(endpoint_ids))
        async with self.store.reading() as conn:
            states = await self.store.states(conn, [ENDPOINT.at(one) for one in ids])
            found = {one: state for one in ids if (state := states[ENDPOINT.stream(one)]) and _sent_to(state)}
            keys = await self._keys(conn, {one.member_id for one in found.values()})
            boxes = await _boxes(conn, [(one, each) for one, state in found.items() for each in state.signing(now)])
        return {one: _addressed(one, state, keys.get(state.member_id), boxes, now) for one, state in found.items()}

    async def _keys(self, conn: Connection, member_ids: Iterable[str]) -> dict[str, DataKey]:
        """The keys that are there: all at once, or, where one is missing, one by one."""
        wanted, found = sorted(member_ids), dict[str, DataKey]()
        try:
            return await self.keys.get(conn, wanted)
        except (KeyDestroyed, NotFound):
            pass
        for one in wanted:
            try:
                found |= await self.keys.get(conn, [one])
            except (KeyDestroyed, NotFound):
                continue
        return found


Boxes = Mapping[tuple[str, str], str]
"""Sealed secrets by the ids of endpoint and secret."""


async def _boxes(conn: Connection, pairs: Sequence[tuple[str, str]]) -> Boxes:
    if not pairs:
        return {}
    rows = await (await conn.execute(_SECRETS, [*map(list, zip(*pairs, strict=True))])).fetchall()
    return {(row[0], row[1]): row[2] for row in rows}


def _sent_to(endpoint: Endpoint) -> bool:
    return not (endpoint.removed or endpoint.disabled)


def _addressed(endpoint_id: str, state: Endpoint, key: DataKey | None, boxes: Boxes, now: datetime) -> Addressed:
    if key is None:
        return Addressed("", ())
    boxed = [(one, boxes[endpoint_id, one]) for one in state.signing(now) if (endpoint_id, one) in boxes]
    try:
        return Addressed(key.open(state.url), tuple(opened(key, state.member_id, one, box) for one, box in boxed))
    except InvalidTag:  # altered, or under another key: its owner is told that there is nothing to sign with
        return Addressed("", ())
