"""What runs beside a server starts again after what passes, and ends the process by a mistake in the program only."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError
from prometheus_client import REGISTRY
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from relaying import eventually

from eventfold.errors import LeaseLost
from servicekit import background, database
from servicekit.background import beside, lasting
from servicekit.runtime import _sweeping

PASSING = [
    PoolTimeout(),
    OperationalError(),
    ConnectionResetError(),
    TimeoutError(),
    KafkaConnectionError(),
    LeaseLost("l", 1),
]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PAUSE_FIRST_S", 0.01)
    monkeypatch.setattr(background, "PAUSE_MAX_S", 0.02)


class Failing:
    """Fails by each of `failures` in turn, and then stays."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.stays = asyncio.Event()

    async def run(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.stays.set()
        await asyncio.Event().wait()


async def test_it_starts_again_after_every_failure_that_passes_and_is_counted() -> None:
    failing = Failing(*PASSING)
    async with beside({"t": failing.run}) as ended:
        await asyncio.wait_for(failing.stays.wait(), 30)
        assert not ended.done()
    assert REGISTRY.get_sample_value("lyceum_background_restarts_total", {"task": "t"}) == len(PASSING)


@pytest.mark.parametrize("mistake", [TypeError(), KeyError("k"), AssertionError()], ids=lambda one: type(one).__name__)
async def test_a_mistake_in_the_program_ends_what_serves(mistake: Exception) -> None:
    async with beside({"t": Failing(mistake).run}) as ended:
        with pytest.raises(type(mistake)):
            await asyncio.wait_for(ended, 30)


async def test_what_does_not_stop_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "STOP_S", 0.05)
    go_on, began = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        while not go_on.is_set():
            began.set()
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    async with asyncio.timeout(30):
        async with beside({"t": stubborn}):
            await began.wait()
    go_on.set()


async def restarted() -> bool:
    return bool(REGISTRY.get_sample_value("lyceum_background_restarts_total", {"task": "sweep"}))


async def test_an_empty_pool_does_not_end_the_sweep(postgres_url: str) -> None:
    async with database.make_pool(postgres_url, 1) as pool:
        pool.timeout = 0.05
        async with pool.connection():
            sweeping = asyncio.create_task(lasting("sweep", lambda: _sweeping(pool)))
            await eventually(restarted)
            assert not sweeping.done()
        sweeping.cancel()
