"""Follows the read tables in the background, so that answers are live and queries need not wait."""

from __future__ import annotations

import asyncio
import logging

from prometheus_client import Gauge
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from reco.application.live_factors import LiveFactors

log = logging.getLogger(__name__)

PAIRS = Gauge("lyceum_reco_pairs", "Pairs of member and content in the matrix.")
LEFT_OUT = Gauge("lyceum_reco_left_out", "Pairs and items beyond the matrix's bounds: raise the bounds when above 0.")


async def follow(factors: LiveFactors, every_s: float) -> None:
    """Refresh every `every_s` seconds until cancelled. If the database is unreachable for a while, it is tried again;
    any other failure ends the process."""
    while True:
        try:
            await factors.refresh()
        except (OperationalError, PoolTimeout) as failure:
            log.warning("factors not refreshed", extra={"reason": type(failure).__name__})
        PAIRS.set(factors.pairs.size)
        LEFT_OUT.set(factors.pairs.left_out)
        await asyncio.sleep(every_s)
