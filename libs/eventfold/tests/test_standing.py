"""The relay beside its topics: what they lost is sent again before anything new, and what they hold is not."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.admin import NewPartitions
from deployed import command, deployment
from house import House, context
from losing import remade, rewritten
from prometheus_client import REGISTRY
from reading import assert_unbroken_runs, header, read_all, stored_order
from relaying import eventually, everything_acknowledged, relaying
from shelf import TOPIC, add
from working import folded_as_recorded, worker

from eventfold.errors import LeaseLost
from eventfold.publish import term, witness
from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import administrator, existing_topics, prepare_topics
from eventfold_ops import replay

PARTITIONS = 4
SHELVES = 12


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> str:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=PARTITIONS)
    return house.prefix + TOPIC


async def written(house: House, name: str, books: int = 5) -> None:
    items = [add(f"{shelf}", f"{name}.{n}") for n in range(books) for shelf in range(SHELVES)]
    await house.store.handle_batch(items, context())


async def sent(house: House, brokers: Brokers) -> None:
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))


async def loses_its_end(brokers: Brokers, topic: str, kept: float) -> list[Any]:
    """Each partition keeps its first part, as a broker's disk may have it after power was lost."""
    return await rewritten(brokers, topic, lambda records: records[: int(len(records) * kept)])


@pytest.mark.parametrize("kept", [0.0, 0.4, 0.9])
async def test_what_a_broker_lost_is_sent_again_before_anything_new(
    house: House, brokers: Brokers, topic: str, kept: float
) -> None:
    await written(house, "first")
    with worker(house, brokers):  # it has applied what is lost
        await sent(house, brokers)
        await folded_as_recorded(house)
    had = await loses_its_end(brokers, topic, kept)
    await written(house, "second")
    await sent(house, brokers)
    records = await read_all(brokers, topic)
    assert len(records) == len(had) * 2, "everything once"
    assert_unbroken_runs(records, await stored_order(house))
    assert REGISTRY.get_sample_value("eventfold_relay_lost_by_topic_total", {"topic": topic}), "somebody may look"
    with worker(house, brokers):
        await folded_as_recorded(house)


async def test_a_worker_that_was_behind_what_is_lost_applies_it_once_in_order(
    house: House, brokers: Brokers, topic: str
) -> None:
    await written(house, "first")
    with worker(house, brokers):
        await sent(house, brokers)
        await folded_as_recorded(house)
    await written(house, "second")
    await sent(house, brokers)
    await loses_its_end(brokers, topic, 0.7)
    await written(house, "third")
    with worker(house, brokers):
        await sent(house, brokers)
        await folded_as_recorded(house)


async def test_a_topic_that_is_emptied_under_an_idle_relay_is_filled_again(
    house: House, brokers: Brokers, topic: str
) -> None:
    await written(house, "first")
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
        await remade(brokers, topic)

        async def whole() -> bool:
            return len(await read_all(brokers, topic)) >= SHELVES * 5

        await eventually(whole)
        await written(house, "second")
        await eventually(lambda: everything_acknowledged(house))
    assert_unbroken_runs(await read_all(brokers, topic), await stored_order(house))


async def test_what_was_sent_to_an_emptied_topic_too_early_is_read_after_what_was_before_it(
    house: House, brokers: Brokers, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(term, "LOOK_AFTER_S", 1000.0)
    monkeypatch.setattr(term, "CHECK_EVERY_S", 1000.0)  # it notices by the offsets that it is answered
    await written(house, "first")
    async with relaying(house, brokers) as running:
        await eventually(lambda: everything_acknowledged(house))
        await remade(brokers, topic)
        await written(house, "second")
        running.wake()

        async def whole() -> bool:
            return len(await read_all(brokers, topic)) >= SHELVES * 10

        await eventually(whole)
        with worker(house, brokers):
            await folded_as_recorded(house)


async def test_a_worker_that_runs_while_its_topic_is_deleted_and_made_anew_goes_on(
    house: House, brokers: Brokers, topic: str
) -> None:
    await written(house, "first")
    async with relaying(house, brokers) as running:
        with worker(house, brokers) as process:
            await folded_as_recorded(house)
            await remade(brokers, topic)
            await written(house, "second")
            running.wake()
            await folded_as_recorded(house)
            await written(house, "third")
            running.wake()
            await folded_as_recorded(house)
            assert process.poll() is None


async def test_each_record_tells_what_was_before_it_on_its_partition(
    house: House, brokers: Brokers, topic: str
) -> None:
    for name in ("first", "second"):
        await written(house, name)
        await sent(house, brokers)
    before = dict.fromkeys(range(PARTITIONS), 0)
    for one in await read_all(brokers, topic):
        assert int(header(one, "ce_previoussequence")) == before[one.partition]
        before[one.partition] = int(header(one, "ce_sequence"))


async def test_partitions_that_other_tools_added_are_not_written(
    house: House, brokers: Brokers, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    await written(house, "first")
    await sent(house, brokers)
    async with administrator(brokers) as admin:
        await admin.create_partitions({topic: NewPartitions(8)})

    async def grown() -> bool:
        return (await existing_topics(brokers)).get(topic) == 8

    await eventually(grown)
    await written(house, "second")
    await sent(house, brokers)
    assert {one.partition for one in await read_all(brokers, topic)} <= set(range(PARTITIONS))
    assert f"run `replay {topic} --partitions 8`" in caplog.text
    with worker(house, brokers):
        await folded_as_recorded(house)
        async with relaying(house, brokers):  # what is advised is done
            assert await command(replay, deployment(house, brokers), TOPIC, "--partitions", "8") == 0
            await written(house, "third")
            await folded_as_recorded(house)
    assert {one.partition for one in await read_all(brokers, f"{topic}.g2") if one.key} & {4, 5, 6, 7}


async def test_a_leader_whose_store_was_replaced_numbers_nothing_more(
    house: House, brokers: Brokers, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    await written(house, "first")
    async with relaying(house, brokers) as running:
        await eventually(lambda: everything_acknowledged(house))
        await house.rows("INSERT INTO sequence_run SELECT 61, 1000, 5 RETURNING 1")  # as if numbers had been given
        await written(house, "second")
        running.wake()
        await eventually(lambda: _restarted(caplog))


async def _restarted(caplog: pytest.LogCaptureFixture) -> bool:
    return LeaseLost.__name__ in str([record.__dict__.get("reason") for record in caplog.records])


async def test_single_records_are_read_where_they_lie(house: House, brokers: Brokers, topic: str) -> None:
    await written(house, "first")
    await sent(house, brokers)
    look, at = witness.looks_at(brokers), {((topic, 0), 0), ((topic, 1), 2), ((topic, 1), 10_000)}
    found = await look(at)
    first = found[(topic, 0), 0]
    assert first and first.previous == 0 and first.seq > 0 and found[(topic, 1), 10_000] is None
    assert await witness.continues_at(brokers, (topic, 0), first.seq, 1) == 1
