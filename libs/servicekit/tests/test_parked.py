"""What is parked is on the server's page, whatever became of the worker, and however the database is."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from servicekit import database, parked

PARKING = """CREATE TEMP TABLE dead_letter (projection text, value bytea);
INSERT INTO dead_letter VALUES ('feed', '12345'), ('feed', '678')"""


def shown(name: str, projection: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"projection": projection})


async def test_the_gauges_follow_the_store_and_survive_a_database_that_is_away(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parked, "LOOK_EVERY_S", 0.01)
    definition: Any = SimpleNamespace(projections=[SimpleNamespace(name="feed"), SimpleNamespace(name="idle")])
    pool = database.make_pool(postgres_url, 1)  # not open: as good as away
    watching = asyncio.create_task(parked.watching(pool, definition))
    try:
        await asyncio.sleep(0)
        await pool.open(wait=True)
        async with pool.connection() as conn:
            await conn.execute(PARKING)
        async with asyncio.timeout(30):
            while shown("eventfold_parked_records", "feed") != 2:  # noqa: ASYNC110 - a gauge tells nobody
                await asyncio.sleep(0.01)
        assert shown("eventfold_parked_bytes", "feed") == 8 and shown("eventfold_parked_records", "idle") == 0
        assert not watching.done()
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await pool.close()
