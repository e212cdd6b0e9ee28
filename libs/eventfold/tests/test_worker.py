"""Fold workers as processes on Faust: killed, stopped and rebalanced, they apply every event once."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
from collections.abc import AsyncIterator
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from house import House, context
from reading import read_all
from relaying import eventually, everything_acknowledged, relaying
from shelf import TOPIC, add
from working import BOOKS, SHELVES, applied, folded_as_recorded, loading, publish, shared_by, tell_who_applies, worker

from eventfold.fold.worker import HALTED
from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import administrator, existing_topics, prepare_topics
from lyceum_local.ports import free_block


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> AsyncIterator[str]:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=4)
    async with relaying(house, brokers):
        yield house.prefix + TOPIC


async def assert_each_applied_once_in_order(house: House, rounds: int) -> None:
    expected = "".join(f"{round_}.{n};" for round_ in range(rounds) for n in range(BOOKS))
    rows = await house.rows("SELECT shelf, books, digest FROM shelf_count ORDER BY shelf")
    assert len(rows) == SHELVES
    assert all(row[1:] == (rounds * BOOKS, expected) for row in rows)


async def test_a_worker_killed_between_write_and_commit_loses_and_doubles_nothing(
    house: House, brokers: Brokers, topic: str
) -> None:
    for round_ in range(2):
        before = await applied(house)
        with worker(house, brokers, "slow") as victim:
            publishing = asyncio.create_task(publish(house, round_))
            await eventually(functools.partial(_more_than, house, before))
            victim.send_signal(signal.SIGKILL)
        await publishing
    with worker(house, brokers):
        await eventually(lambda: _exactly(house, 2 * SHELVES * BOOKS), deadline_s=60)
    await assert_each_applied_once_in_order(house, 2)


async def test_workers_that_come_and_go_share_the_partitions_without_loss(
    house: House, brokers: Brokers, topic: str
) -> None:
    await tell_who_applies(house)
    with worker(house, brokers, "slow") as first:
        await publish(house, 0)
        with worker(house, brokers, "slow") as second:
            async with loading(house, "during"):
                await shared_by(house, first, second)
                second.send_signal(signal.SIGSTOP)
                await publish(house, 1)
                second.send_signal(signal.SIGCONT)
                await shared_by(house, first, second)
        await folded_as_recorded(house)


async def test_three_workers_share_the_partitions_under_load_and_one_goes_on_alone(
    house: House, brokers: Brokers, topic: str
) -> None:
    """Given two workers under load, when a third joins, then all three apply; when the two end, one in order and one
    killed, then the third applies the rest."""
    await tell_who_applies(house)
    with contextlib.ExitStack() as workers:
        async with loading(house, "during"):
            pair = [workers.enter_context(worker(house, brokers, "slow")) for _ in range(2)]
            await shared_by(house, *pair)
            last = workers.enter_context(worker(house, brokers, "slow"))
            await shared_by(house, *pair, last)
            pair[0].send_signal(signal.SIGTERM)
            pair[1].send_signal(signal.SIGKILL)
            await shared_by(house, last)
        await folded_as_recorded(house)
        assert last.poll() is None


async def test_a_worker_halts_with_a_status_when_it_must_not_go_on(house: House, brokers: Brokers, topic: str) -> None:
    await house.store.handle(add("one", "poison"), context())
    await eventually(lambda: everything_acknowledged(house))
    with worker(house, brokers, "halt") as process:
        assert await asyncio.to_thread(process.wait, 60) == HALTED
    assert await applied(house) == 0


async def test_a_halted_workers_page_says_so_until_it_leaves(house: House, brokers: Brokers, topic: str) -> None:
    await house.store.handle(add("one", "poison"), context())
    await eventually(lambda: everything_acknowledged(house))
    port = free_block(1)
    with worker(house, brokers, "halt", str(port)) as process:

        async def halted() -> bool:
            return 'eventfold_fold_halted{reason="Poison"} 1.0' in await asyncio.to_thread(page, port)

        await eventually(halted, 60)
        assert f'eventfold_fold_ready{{group="{house.prefix}shelf"}} 0.0' in page(port) and process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == -signal.SIGTERM, "a supervisor need not wait"


def page(port: int) -> str:
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except URLError:
        return ""


async def remade(house: House, brokers: Brokers, topic: str, extra_rounds: int) -> None:
    """The topic deleted and made again, with only what is published from now on."""
    async with administrator(brokers) as admin:
        await admin.delete_topics([topic])

        async def gone() -> bool:
            return topic not in await existing_topics(brokers)

        await eventually(gone)
    await prepare_topics(brokers, [topic], partitions=4)
    for round_ in range(1, extra_rounds + 1):
        await publish(house, round_)
    await eventually(lambda: everything_acknowledged(house), 60)


@pytest.mark.parametrize("extra_rounds", [0, 2])
async def test_a_topic_made_anew_is_filled_again_and_read_on_where_it_was_left(
    house: House, brokers: Brokers, topic: str, extra_rounds: int
) -> None:
    with worker(house, brokers):
        await publish(house, 0)
        await eventually(lambda: _exactly(house, SHELVES * BOOKS), deadline_s=60)
    await remade(house, brokers, topic, extra_rounds)
    with worker(house, brokers) as process:
        await folded_as_recorded(house)
        assert process.poll() is None
    await assert_each_applied_once_in_order(house, 1 + extra_rounds)


@pytest.mark.parametrize("extra_records", [0, 3])
async def test_a_truncated_topic_halts_a_worker_instead_of_resetting_it(
    house: House, brokers: Brokers, topic: str, extra_records: int
) -> None:
    with worker(house, brokers):
        await publish(house, 0)
        await eventually(lambda: _exactly(house, SHELVES * BOOKS), deadline_s=60)
    await publish(house, 1)
    await eventually(lambda: everything_acknowledged(house))
    ends = {one.partition: one.offset + 1 - extra_records for one in await read_all(brokers, topic)}
    async with administrator(brokers) as admin:
        await admin.delete_records({TopicPartition(topic, part): RecordsToDelete(at) for part, at in ends.items()})
    with worker(house, brokers) as process:
        assert await asyncio.to_thread(process.wait, 60) == HALTED
    await assert_each_applied_once_in_order(house, 1)


async def _more_than(house: House, count: int) -> bool:
    return await applied(house) > count


async def _exactly(house: House, count: int) -> bool:
    return await applied(house) == count
