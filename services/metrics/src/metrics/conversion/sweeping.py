"""Lets go of old impressions, so that their table does not grow for ever."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

from eventfold import Pool
from eventfold.fold.sweeping import keep_swept
from metrics.projections.impressions import SHOWN

SWEPT = Counter("lyceum_metrics_impressions_swept", "Shown contents deleted from the table because of their age.")
ROWS: Final = 10_000
"""Of one transaction."""


async def sweep_impressions(pool: Pool, keep_days: int) -> None:
    """Delete what was shown more than `keep_days` ago until cancelled. Of several processes one at a time does it."""
    await keep_swept(pool, SHOWN, keep_days=keep_days, limit_rows=ROWS, swept=SWEPT.inc)
