"""Reading deliveries with their attempts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from eventfold import Pool
from servicekit.paging import PageStart

ATTEMPTS_SHOWN: Final = 50

_COLUMNS: Final = "number, event_id, type, aggregate, occurred_at, state, due_at, created_at"
_LIST: Final = f"""SELECT {_COLUMNS} FROM delivery
WHERE endpoint_id = %(endpoint)s AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
  AND (%(before)s::timestamptz IS NULL OR (created_at, event_id) < (%(before)s::timestamptz, %(after_id)s))
ORDER BY created_at DESC, event_id DESC LIMIT %(limit)s"""  # noqa: S608 - names of columns
_ATTEMPTS: Final = """SELECT a.number, a.at, a.status, a.took_ms, a.said FROM unnest(%s::bigint[]) AS d(number)
CROSS JOIN LATERAL (SELECT * FROM attempt o WHERE o.endpoint_id = %s AND o.number = d.number
ORDER BY o.attempt DESC LIMIT %s) a ORDER BY a.number, a.attempt DESC"""
_SHOWN_AS: Final[Mapping[str, list[str] | None]] = {
    "": None,
    "due": ["due", "waiting"],
    "delivered": ["delivered"],
    "failed": ["failed"],
}
STATES: Final = tuple(_SHOWN_AS)


class AttemptRow(NamedTuple):
    """One request and its answer."""

    at: datetime
    status: int
    took_ms: int
    said: str


class DeliveryRow(NamedTuple):
    """A delivery as its owner sees it."""

    number: int
    event_id: str
    type: str
    aggregate: str
    occurred_at: datetime
    state: str
    due_at: datetime
    created_at: datetime


class Deliveries:
    """Reads what was told to an endpoint, or is still to be."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(
        self, endpoint_id: str, state: str, after: PageStart | None, limit: int
    ) -> list[tuple[DeliveryRow, list[AttemptRow]]]:
        """The newest first, each with its newest attempts first. `state` is one of `STATES`."""
        arguments: dict[str, Any] = {
            "endpoint": endpoint_id,
            "states": _SHOWN_AS[state],
            "before": after.at if after else None,
            "after_id": after.id if after else "",
            "limit": limit,
        }
        async with self._pool.connection() as conn:
            rows = [DeliveryRow._make(row) for row in await (await conn.execute(_LIST, arguments)).fetchall()]
            asked = [[row.number for row in rows], endpoint_id, ATTEMPTS_SHOWN]
            attempts = await (await conn.execute(_ATTEMPTS, asked)).fetchall()
        made: dict[int, list[AttemptRow]] = {row.number: [] for row in rows}
        for number, *rest in attempts:
            made[number].append(AttemptRow._make(rest))
        return [(row, made[row.number]) for row in rows]
