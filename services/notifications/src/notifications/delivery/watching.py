"""How late deliveries are, read from what is stored: it is shown also while no sender runs, or one that hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from eventfold import Pool
from notifications.delivery.taking import LANES, Lane
from notifications.telemetry import OLDEST_DUE_S, OLDEST_UNTOLD_S

EVERY_S: Final = 15.0

_OLDEST: Final = "SELECT lane, min(next_due_at) FROM sending WHERE next_due_at IS NOT NULL GROUP BY lane"
_UNTOLD: Final = """SELECT min(h.recorded_at) FROM happened h LEFT JOIN telling t ON t.name = 'telling'
WHERE t.name IS NULL OR (h.changed_in >= pg_snapshot_xmin(t.snapshot::pg_snapshot)
AND NOT pg_visible_in_snapshot(h.changed_in, t.snapshot::pg_snapshot))"""


class Late(NamedTuple):
    """When the oldest due delivery of each lane was due (lanes without one are left out), and when the oldest event
    happened of which no delivery was made; None: there is none."""

    due: Mapping[Lane, datetime]
    untold: datetime | None


async def oldest(pool: Pool) -> Late:
    """What is late now."""
    async with pool.connection() as conn:
        due = {row[0]: row[1] for row in await (await conn.execute(_OLDEST)).fetchall()}
        untold = await (await conn.execute(_UNTOLD)).fetchone()
    return Late(due, untold[0] if untold else None)


async def watch(pool: Pool) -> None:
    """Show it every `EVERY_S`, until cancelled."""
    while True:
        late = await oldest(pool)
        for lane in LANES:
            OLDEST_DUE_S.labels(lane).set(_age_s(late.due.get(lane)))
        OLDEST_UNTOLD_S.set(_age_s(late.untold))
        await asyncio.sleep(EVERY_S)


def _age_s(at: datetime | None) -> float:
    return max(0.0, (datetime.now(at.tzinfo) - at).total_seconds()) if at else 0.0
