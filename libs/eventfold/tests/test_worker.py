"""Fold workers as processes on Faust: killed, stopped and rebalanced, they apply every event once."""

from __future__ import annotations

import asyncio
import functools
import signal
from collections.abc import AsyncIterator

import pytest
from house import House, context
from relaying import eventually, everything_acknowledged, relaying
from shelf import TOPIC, add
from working import BOOKS, SHELVES, applied, publish, worker

from eventfold.topics import prepare_topics
from eventfold.worker import HALTED


@pytest.fixture
async def topic(house: House, kafka_bootstrap: str) -> AsyncIterator[str]:
    await prepare_topics(kafka_bootstrap, [house.prefix + TOPIC], partitions=4)
    async with relaying(house, kafka_bootstrap):
        yield house.prefix + TOPIC


async def assert_each_applied_once_in_order(house: House, rounds: int) -> None:
    expected = "".join(f"{round_}.{n};" for round_ in range(rounds) for n in range(BOOKS))
    rows = await house.rows("SELECT shelf, books, digest FROM shelf_count ORDER BY shelf")
    assert len(rows) == SHELVES
    assert all(row[1:] == (rounds * BOOKS, expected) for row in rows)


async def test_a_worker_killed_between_write_and_commit_loses_and_doubles_nothing(
    house: House, kafka_bootstrap: str, topic: str
) -> None:
    for round_ in range(2):
        before = await applied(house)
        with worker(house, kafka_bootstrap, "slow") as victim:
            publishing = asyncio.create_task(publish(house, round_))
            await eventually(functools.partial(_more_than, house, before))
            victim.send_signal(signal.SIGKILL)
        await publishing
    with worker(house, kafka_bootstrap):
        await eventually(lambda: _exactly(house, 2 * SHELVES * BOOKS), deadline_s=60)
    await assert_each_applied_once_in_order(house, 2)


async def test_workers_that_come_and_go_share_the_partitions_without_loss(
    house: House, kafka_bootstrap: str, topic: str
) -> None:
    with worker(house, kafka_bootstrap, "slow"):
        await publish(house, 0)
        with worker(house, kafka_bootstrap, "slow") as second:
            await publish(house, 1)
            await eventually(lambda: _more_than(house, SHELVES * BOOKS), deadline_s=60)
            second.send_signal(signal.SIGSTOP)
            await publish(house, 2)
            second.send_signal(signal.SIGCONT)
        await eventually(lambda: _exactly(house, 3 * SHELVES * BOOKS), deadline_s=60)
    await assert_each_applied_once_in_order(house, 3)


async def test_a_worker_halts_with_a_status_when_it_must_not_go_on(
    house: House, kafka_bootstrap: str, topic: str
) -> None:
    await house.store.handle(add("one", "poison"), context())
    await eventually(lambda: everything_acknowledged(house))
    with worker(house, kafka_bootstrap, "halt") as process:
        assert await asyncio.to_thread(process.wait, 60) == HALTED
    assert await applied(house) == 0


async def _more_than(house: House, count: int) -> bool:
    return await applied(house) > count


async def _exactly(house: House, count: int) -> bool:
    return await applied(house) == count
