"""Shows parked records on the server's metrics page, so that they are visible when the worker that parked them has
halted."""

from __future__ import annotations

import asyncio
import logging

import psycopg

from eventfold import Pool
from eventfold.fold.deadletter import parked_now, show_parked
from servicekit.definition import ServiceDefinition

log = logging.getLogger(__name__)

LOOK_EVERY_S = 10.0


async def watching(pool: Pool, definition: ServiceDefinition) -> None:
    """Set the gauges again and again, until cancelled. A failed look is logged; the next one may succeed."""
    names = [projection.name for projection in definition.projections]
    while True:
        try:
            async with pool.connection() as conn:
                show_parked(names, await parked_now(conn))
        except psycopg.Error as failure:
            log.warning("cannot tell what is parked", extra={"reason": repr(failure)})
        await asyncio.sleep(LOOK_EVERY_S)
