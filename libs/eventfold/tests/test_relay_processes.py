"""Relays as processes: killed and stopped in mid work, they leave a topic that folds read without loss."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess

import pytest
from house import House, context
from processes import SUPPORT, running
from reading import assert_unbroken_runs, read_all, stored_order
from relaying import eventually, everything_acknowledged, relaying
from shelf import TOPIC, add

from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import prepare_topics

TAKEOVER_S = 30.0
BATCHES, SHELVES = 60, 40


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> str:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=4)
    return house.prefix + TOPIC


def relay_process(
    house: House, brokers: Brokers, holder: str
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    return running(SUPPORT / "shelf_relay.py", house, brokers, holder)


async def write_on(house: House) -> None:
    for n in range(BATCHES):
        await house.store.handle_batch([add(f"{shelf}", f"book {n}") for shelf in range(SHELVES)], context())


async def leader(house: House) -> object:
    rows = await house.rows("SELECT holder FROM lease")
    return rows[0][0] if rows else None


async def sent_more_than(house: House, seq: int) -> bool:
    rows = await house.rows("SELECT cursor FROM lease")
    return bool(rows and int(str(rows[0][0])) > seq)


async def test_a_stopped_leader_is_succeeded_and_its_late_sends_harm_nothing(
    house: House, brokers: Brokers, topic: str
) -> None:
    with relay_process(house, brokers, "sleeper") as sleeper:
        writing = asyncio.create_task(write_on(house))
        await eventually(lambda: sent_more_than(house, 100))
        assert await leader(house) == "sleeper"
        sleeper.send_signal(signal.SIGSTOP)
        async with relaying(house, brokers, "successor"):
            await eventually(lambda: _leads(house, "successor"), TAKEOVER_S)
            await writing
            sleeper.send_signal(signal.SIGCONT)
            await eventually(lambda: everything_acknowledged(house))
            assert await leader(house) == "successor"
    assert_unbroken_runs(await read_all(brokers, topic), await stored_order(house))


async def test_relays_killed_in_mid_send_are_followed_without_loss(house: House, brokers: Brokers, topic: str) -> None:
    writing = asyncio.create_task(write_on(house))
    for life in range(2):
        reached = int(str((await house.rows("SELECT coalesce(max(cursor), 0) FROM lease"))[0][0]))
        with relay_process(house, brokers, f"life {life}") as victim:
            await eventually(lambda reached=reached: sent_more_than(house, reached))  # type: ignore[misc]
            victim.send_signal(signal.SIGKILL)
    await writing
    async with relaying(house, brokers, "last"):
        await eventually(lambda: everything_acknowledged(house))
    assert_unbroken_runs(await read_all(brokers, topic), await stored_order(house))


async def _leads(house: House, holder: str) -> bool:
    return await leader(house) == holder
