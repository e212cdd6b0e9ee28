"""Lets go of old impressions, so that their table does not grow for ever."""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import Counter

from eventfold import Pool
from eventfold.fold.sweeping import sweep
from reco.recommendation.projections import IMPRESSIONS

SWEPT = Counter("lyceum_reco_impressions_swept", "Impressions deleted from the table because of their age.")
ROWS: Final = 1_000
"""Of one transaction: an impression is a kilobyte or more."""
PAUSE_S: Final = 1.0
"""Between two of them, as long as there are more; ten million rows take three hours."""
EVERY_S: Final = 3_600.0


async def sweep_impressions(pool: Pool, keep_days: int) -> None:
    """Delete impressions older than `keep_days` until cancelled. Of several processes one at a time does it."""
    while True:
        async with pool.connection() as conn:
            swept = await sweep(conn, IMPRESSIONS, keep_days=keep_days, limit_rows=ROWS)
        SWEPT.inc(swept)
        await asyncio.sleep(PAUSE_S if swept == ROWS else EVERY_S)
