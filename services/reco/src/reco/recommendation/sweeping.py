"""Lets go of old impressions, so that their table does not grow for ever."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

from eventfold import Pool
from eventfold.fold.sweeping import keep_swept
from reco.recommendation.projections import IMPRESSIONS

SWEPT = Counter("lyceum_reco_impressions_swept", "Impressions deleted from the table because of their age.")
ROWS: Final = 1_000
"""Of one transaction: an impression is a kilobyte or more."""


async def sweep_impressions(pool: Pool, keep_days: int) -> None:
    """Delete impressions older than `keep_days` until cancelled. Of several processes one at a time does it."""
    await keep_swept(pool, IMPRESSIONS, keep_days=keep_days, limit_rows=ROWS, swept=SWEPT.inc)
