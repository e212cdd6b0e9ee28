"""A due-date worker of a service: one stream that stands still does not keep it from the dates of others."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from types import SimpleNamespace
from typing import Any

from alarms import RINGING, SetAlarm, record, rung, store_of
from house import NOW, House, built
from relaying import eventually

from servicekit import database, leading

DEADLINE_S = 60
HOLD = """INSERT INTO events
(stream, version, type, schema_version, data, partition_key, occurred_at, recorded_at, meta)
VALUES ('alarm-held', 2, 'held', 1, '{}', 'k', now(), now(), '{}')"""


async def rang(house: House, alarm: str) -> bool:
    return (await rung(house)).get(alarm) == 1


async def waits(house: House) -> bool:
    return bool(await house.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


async def test_one_held_stream_does_not_keep_later_dates_waiting(postgres_url: str) -> None:
    async with built(postgres_url) as house:
        wiring: Any = SimpleNamespace(
            definition=SimpleNamespace(name="alarms"),
            connect=partial(database.connect, house.url),
            store=store_of(house),
            rng=random.Random(7),
        )
        await record(wiring.store, "held", SetAlarm(NOW))
        async with await house.connect() as holder, holder.transaction(force_rollback=True):
            await holder.execute(HOLD)
            worker = asyncio.create_task(leading.due_worker(wiring, [RINGING]).run())
            await eventually(lambda: waits(house))
            await record(wiring.store, "free", SetAlarm(NOW))
            await eventually(lambda: rang(house, "free"), DEADLINE_S)
        await eventually(lambda: rang(house, "held"), DEADLINE_S)
        worker.cancel()
