"""A worker with a name of its own comes back without moving a partition, and is never there twice."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from house import House
from relaying import eventually, relaying
from shelf import TOPIC
from working import folded_as_recorded, loading, shared_by, tell_who_applies, worker

from eventfold.fold.worker import HALTED
from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import prepare_topics
from lyceum_local.ports import free_block

LOOK_S = 0.02


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> AsyncIterator[str]:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=4)
    async with relaying(house, brokers):
        yield house.prefix + TOPIC


@contextlib.contextmanager
def two(
    house: House, brokers: Brokers, names: tuple[str, str], port: int, away_s: float = 45
) -> Iterator[tuple[subprocess.Popen[bytes], ...]]:
    with (
        worker(house, brokers, "plain", str(port), names[0], str(away_s)) as first,
        worker(house, brokers, "plain", "", names[1], str(away_s)) as second,
    ):
        yield first, second


@contextlib.asynccontextmanager
async def watching(group: str, port: int) -> AsyncIterator[list[str]]:
    """What the worker at `port` says of its readiness meanwhile."""
    said: list[str] = []

    async def look() -> None:
        while True:
            said.append(await asyncio.to_thread(ready, group, port))
            await asyncio.sleep(LOOK_S)

    task = asyncio.create_task(look())
    yield said
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def ready(group: str, port: int) -> str:
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            page = answer.read().decode()
    except URLError:
        return "no page"
    (line,) = [one for one in page.splitlines() if one.startswith(f'eventfold_fold_ready{{group="{group}"}}')]
    return str(line.rpartition(" ")[2])


async def reads(group: str, port: int) -> bool:
    """Whether the worker at `port` has the partitions of the last rebalance: others may read before it does."""
    return await asyncio.to_thread(ready, group, port) == "1.0"


async def test_a_named_worker_comes_back_to_its_own_partitions_and_the_other_reads_on(
    house: House, brokers: Brokers, topic: str
) -> None:
    port = free_block(1)
    await tell_who_applies(house)
    with two(house, brokers, ("one", "two"), port) as (first, second):
        async with loading(house, "during"):
            await shared_by(house, first, second)
            await eventually(lambda: reads(f"{house.prefix}shelf", port))
            async with watching(f"{house.prefix}shelf", port) as said:
                second.kill()
                await asyncio.to_thread(second.wait, 10)
                with worker(house, brokers, "plain", "", "two", "45") as again:
                    await shared_by(house, first, again)
                    assert set(said) == {"1.0"} and len(said) > 10, "no partition changed hands"
        await folded_as_recorded(house)


async def test_a_worker_without_a_name_moves_partitions_when_it_comes_back(
    house: House, brokers: Brokers, topic: str
) -> None:
    """What the names are for; it also shows that the look above would see a change of hands."""
    port = free_block(1)
    await tell_who_applies(house)
    with two(house, brokers, ("", ""), port) as (first, second):
        async with loading(house, "during"):
            await shared_by(house, first, second)
            async with watching(f"{house.prefix}shelf", port) as said:
                second.send_signal(signal.SIGTERM)
                await asyncio.to_thread(second.wait, 10)
                with worker(house, brokers) as again:
                    await shared_by(house, first, again)
                    assert "0.0" in said
        await folded_as_recorded(house)


async def test_two_with_one_name_halt_and_nothing_is_doubled(house: House, brokers: Brokers, topic: str) -> None:
    """Each takes the place from the other; both end, and one that comes alone goes on."""
    await tell_who_applies(house)
    async with loading(house, "during"):
        with worker(house, brokers, "plain", "", "one", "45") as earlier:
            await shared_by(house, earlier)
            with worker(house, brokers, "plain", "", "one", "45") as later:
                await eventually(lambda: one_ended(earlier, later), 120)
                assert {earlier.poll(), later.poll()} <= {None, HALTED}
        with worker(house, brokers, "plain", "", "one", "45") as alone:
            await shared_by(house, alone)
    with worker(house, brokers, "plain", "", "one", "45"):
        await folded_as_recorded(house)


async def one_ended(*workers: subprocess.Popen[bytes]) -> bool:
    return any(one.poll() is not None for one in workers)


async def test_a_named_worker_that_stays_away_gives_its_partitions_up(
    house: House, brokers: Brokers, topic: str
) -> None:
    await tell_who_applies(house)
    port = free_block(1)
    with two(house, brokers, ("one", "two"), port, away_s=10) as (first, second):
        async with loading(house, "during"):
            await shared_by(house, first, second)
            second.kill()
            await shared_by(house, first)
        await folded_as_recorded(house)
