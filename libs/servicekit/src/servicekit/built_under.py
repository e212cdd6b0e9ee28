"""Compares a process's settings with those that its service's read tables were built under, at its start."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from eventfold.fold.readmodel import settings_of
from eventfold.postgres import built_under
from servicekit import database
from servicekit.definition import ServiceDefinition


def keep_settings(url: str, definition: ServiceDefinition) -> None:
    """Record the settings that the service's projections depend on, where they are not recorded yet, and raise
    `BuiltUnderOther` if others are. Blocking."""
    wanted = settings_of(definition.projections)

    async def keep() -> None:
        async with await database.connect(url) as conn:
            await built_under.keep(conn, wanted)

    if wanted:
        with ThreadPoolExecutor(1) as thread:  # a worker's main thread must not have had an event loop before Faust's
            thread.submit(asyncio.run, keep()).result()
