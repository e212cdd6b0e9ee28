"""A leader that holds its lease and cannot work gives way to one that can."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from house import House, context
from psycopg import OperationalError
from reading import read_all
from relaying import eventually, everything_acknowledged, relaying
from shelf import TOPIC, add

from eventfold.publish import sending, term
from eventfold.publish.brokers import Brokers
from eventfold.publish.relay import Relay
from eventfold.publish.sending import Producer
from eventfold.publish.topics import prepare_topics


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> str:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=2)
    return house.prefix + TOPIC


def swallowing(brokers: Brokers) -> Any:
    """A producer whose batches nobody ever answers, and that cannot be stopped while they wait."""
    made = Producer(brokers, "swallowing")

    async def send_batch(*_: Any, **__: Any) -> Any:
        return asyncio.get_running_loop().create_future()

    async def stop() -> None:
        await asyncio.Event().wait()

    made.send_batch, made.stop = send_batch, stop
    return made


async def test_a_relay_that_cannot_deliver_gives_way_and_is_not_kept_by_its_own_stop(
    house: House, brokers: Brokers, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SEND_WITHIN_S", 1000.0)  # nothing else ends it
    monkeypatch.setattr(term, "PROGRESS_WITHIN_S", 1.0)
    await house.store.handle(add("one", "a"), context())
    async with relaying(house, brokers, "stuck", producers=lambda: swallowing(brokers)):

        async def leads() -> bool:
            return await house.rows("SELECT 1 FROM lease WHERE holder = 'stuck'") != []

        await eventually(leads)
        async with relaying(house, brokers, "well"):
            await eventually(lambda: everything_acknowledged(house), 30)
    assert len(await read_all(brokers, topic)) == 1


async def test_who_cannot_reach_kafka_never_takes_the_lease(house: House, brokers: Brokers, topic: str) -> None:
    tried = asyncio.Event()

    def unreachable() -> Any:
        tried.set()
        return Producer(Brokers("127.0.0.1:1"), "nobody")

    async with relaying(house, brokers, "cut off", producers=unreachable):
        await asyncio.wait_for(tried.wait(), 30)
        await house.store.handle(add("one", "a"), context())
        async with relaying(house, brokers, "well"):
            await eventually(lambda: everything_acknowledged(house))
    assert await house.rows("SELECT holder FROM lease") == [("well",)]


COMES_AROUND_S = 5.0
"""Longer than the lease, and than the longest pause between two tries."""


async def seconds_stuck(relay: Relay, for_s: float) -> float:
    """The most that the relay says to have been stuck, over some time."""
    most, until = 0.0, time.monotonic() + for_s
    while time.monotonic() < until:
        most = max(most, relay.stuck_s())
        await asyncio.sleep(0.05)
    return most


async def test_a_leader_and_one_that_waits_for_the_lease_come_around(
    house: House, brokers: Brokers, topic: str
) -> None:
    async with relaying(house, brokers, "leader") as leader:
        await eventually(lambda: led_by(house, "leader"))
        async with relaying(house, brokers, "follower") as follower:
            stuck = await asyncio.gather(seconds_stuck(leader, 6), seconds_stuck(follower, 6))
    assert max(stuck) < COMES_AROUND_S


async def test_one_that_cannot_reach_kafka_or_its_database_comes_around(house: House, brokers: Brokers) -> None:
    async def away() -> Any:
        raise OperationalError("away")

    cut_off = lambda: Producer(Brokers("127.0.0.1:1"), "nobody")  # noqa: E731
    async with relaying(house, brokers, "no kafka", producers=cut_off) as one, relaying(house, brokers, "two") as other:
        other.connect = away
        stuck = await asyncio.gather(seconds_stuck(one, 6), seconds_stuck(other, 6))
    assert max(stuck) < COMES_AROUND_S


async def test_one_that_hangs_does_not_come_around(house: House, brokers: Brokers) -> None:
    """Given a database that takes connections and says nothing, then the relay says for how long it has hung."""
    hangs = asyncio.Event()

    async def silent() -> Any:
        hangs.set()
        await asyncio.Event().wait()

    async with relaying(house, brokers) as relay:
        assert relay.stuck_s() == 0, "it has not begun"
        relay.connect = silent
        await asyncio.wait_for(hangs.wait(), 30)
        await asyncio.sleep(0.3)
        assert relay.stuck_s() >= 0.2


async def led_by(house: House, holder: str) -> bool:
    return await house.rows(f"SELECT 1 FROM lease WHERE holder = '{holder}'") != []
