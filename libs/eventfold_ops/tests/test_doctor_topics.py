"""The doctor and compare hold topics against the store, also where what was lost is in the middle."""

from __future__ import annotations

import pytest
from deployed import command, deployment
from house import House, context
from losing import remade, rewritten
from reading import header, read_all
from relaying import eventually, everything_acknowledged, relaying
from shelf import TOPIC, add
from working import folded_as_recorded, worker

from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import prepare_topics
from eventfold_ops import compare
from eventfold_ops.doctor.examining import examine

SHELVES, BOOKS = 12, 5


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> str:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=4)
    items = [add(f"{shelf}", f"{n}") for n in range(BOOKS) for shelf in range(SHELVES)]
    await house.store.handle_batch(items, context())
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
    return house.prefix + TOPIC


async def said(house: House, brokers: Brokers, *, quick: bool = False) -> dict[str, str]:
    found = await examine(deployment(house, brokers), quick=quick)
    return {one.check: one.says for one in found if one.state == "broken" and topic_of(one.check)}


def topic_of(check: str) -> bool:
    """Neither relay nor worker runs in these tests, which is said too."""
    return check.startswith(("end of", "events on"))


async def test_a_topic_that_is_whole_is_said_to_be(house: House, brokers: Brokers, topic: str) -> None:
    found = {one.check: one.says for one in await examine(deployment(house, brokers))}
    assert found[f"events on {topic}"] == f"all {SHELVES * BOOKS}, once and in order"
    assert found[f"end of {topic}"] == "is the store's"


async def test_an_end_that_is_missing_is_found_without_reading_everything(
    house: House, brokers: Brokers, topic: str
) -> None:
    await rewritten(brokers, topic, lambda records: records[:-1])
    assert await said(house, brokers, quick=True) == {
        f"end of {topic}": "partitions 0, 1, 2, 3 lack what was acknowledged there"
    }


async def test_a_record_that_is_missing_in_the_middle_is_found(house: House, brokers: Brokers, topic: str) -> None:
    await rewritten(brokers, topic, lambda records: [*records[:2], *records[3:]])
    assert f"events on {topic}" in await said(house, brokers)
    assert await said(house, brokers, quick=True) == {}


async def test_compare_does_not_call_equal_what_both_lack(house: House, brokers: Brokers, topic: str) -> None:
    lost = {header(one, "ce_sequence") for one in (await read_all(brokers, topic))[:1]}
    await rewritten(
        brokers,
        topic,
        lambda records: [one for one in records if header(one, "ce_sequence") not in lost],
        chained=False,
    )
    with worker(house, brokers):

        async def folded() -> bool:
            rows = await house.rows("SELECT coalesce(sum(books), 0)::int FROM shelf_count")
            return rows == [(SHELVES * BOOKS - 1,)]

        await eventually(folded, 60)
    assert await command(compare, deployment(house, brokers), "counting") == 1


async def test_compare_calls_equal_what_is(house: House, brokers: Brokers, topic: str) -> None:
    with worker(house, brokers):
        await folded_as_recorded(house)
    assert await command(compare, deployment(house, brokers), "counting") == 0
    await remade(brokers, topic)
    assert f"end of {topic}" in await said(house, brokers, quick=True)
