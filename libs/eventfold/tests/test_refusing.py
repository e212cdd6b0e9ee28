"""What the broker will not take is named and set aside with what must stand behind it; everything else goes on."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from house import House, context
from prometheus_client import REGISTRY
from reading import assert_unbroken_runs, header, read_all, stored_order
from relaying import eventually, relaying
from shelf import TOPIC, add
from working import folded_as_recorded, worker

from eventfold.publish import term
from eventfold.publish.brokers import Brokers
from eventfold.publish.sending import Producer
from eventfold.publish.term import ROWS_PER_BATCH
from eventfold.publish.topics import administrator, prepare_topics
from eventfold.write.rows import bounded

PARTITIONS = 2
SHELVES = 10
TOO_LONG = "x" * 5000


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> str:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=PARTITIONS)
    return house.prefix + TOPIC


async def takes(brokers: Brokers, topic: str, size_bytes: int) -> None:
    """Have the topic refuse larger batches, as somebody else's tool may."""
    changed = {"max.message.bytes": str(size_bytes)}
    async with administrator(brokers) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=changed)])


async def written(house: House, *titles: str, shelves: int = SHELVES) -> None:
    await house.store.handle_batch([add(f"{n}", title) for title in titles for n in range(shelves)], context())


def refused() -> float | None:
    return REGISTRY.get_sample_value("eventfold_relay_refused_events")


async def test_a_refused_event_holds_up_its_key_alone_and_goes_when_it_can(
    house: House, brokers: Brokers, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    await takes(brokers, topic, 4000)
    await written(house, "a", "b")
    await house.store.handle(add("3", TOO_LONG), context())
    await written(house, "c")
    others = SHELVES * 3 - 1
    async with relaying(house, brokers) as running:

        async def rest_is_there() -> bool:
            return len(await read_all(brokers, topic)) >= others

        await eventually(rest_is_there)
        await written(house, "d")
        running.wake()
        others += SHELVES - 1
        await eventually(rest_is_there)
        records = await read_all(brokers, topic)
        assert len(records) == others, "nothing is sent twice"
        mine = [header(one, "ce_aggregateversion") for one in records if one.key == b"3"]
        assert mine == ["1", "2"], "what comes after it under its key waits"
        [row] = await house.rows("SELECT event_id, reason, partition_key FROM refused")
        assert row[2] == "3" and "MessageSizeTooLarge" in str(row[1]) and str(row[0]) in caplog.text
        assert refused() == 1

        await takes(brokers, topic, 900_000)
        await house.rows("UPDATE refused SET next_try_at = clock_timestamp() RETURNING 1")

        async def all_is_there() -> bool:
            return len(await read_all(brokers, topic)) >= SHELVES * 4 + 1

        await eventually(all_is_there)

        async def none_refused() -> bool:
            return refused() == 0 and await house.rows("SELECT 1 FROM refused") == []

        await eventually(none_refused)
    records = await read_all(brokers, topic)
    assert [header(one, "ce_aggregateversion") for one in records if one.key == b"3"] == ["1", "2", "3", "4", "5"]
    assert len({header(one, "ce_sequence") for one in records}) == len(records), "no number is given twice"
    with worker(house, brokers):
        await eventually(lambda: _folded(house))


async def _folded(house: House) -> bool:
    rows = await house.rows("SELECT sum(books)::int FROM shelf_count")
    return rows == [(SHELVES * 4 + 1,)]


async def test_a_refused_event_that_stays_so_is_tried_at_growing_pauses_and_multiplies_nothing(
    house: House, brokers: Brokers, topic: str
) -> None:
    await takes(brokers, topic, 4000)
    await written(house, "a")
    await house.store.handle(add("3", TOO_LONG), context())
    async with relaying(house, brokers):
        for attempt in (1, 2, 3):

            async def tried(attempt: int = attempt) -> bool:
                return await house.rows("SELECT attempts FROM refused") == [(attempt,)]

            await eventually(tried)
            await house.rows("UPDATE refused SET next_try_at = clock_timestamp() RETURNING 1")
    assert len(await read_all(brokers, topic)) == SHELVES
    pauses = await house.rows("SELECT next_try_at - refused_at < interval '1 hour' FROM refused")
    assert pauses == [(True,)]


async def test_a_broker_that_is_away_parks_nothing(
    house: House, brokers: Brokers, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> Any:
        return Producer(Brokers("127.0.0.1:1"), "nobody")

    await written(house, "a")
    async with relaying(house, brokers, producers=unreachable):

        async def late() -> bool:
            shown = REGISTRY.get_sample_value("eventfold_relay_restarts_total", {"relay": "relay"})
            return (shown or 0) >= before + 2

        before = REGISTRY.get_sample_value("eventfold_relay_restarts_total", {"relay": "relay"}) or 0
        await eventually(late)
    assert await house.rows("SELECT 1 FROM refused") == []
    async with relaying(house, brokers):
        with worker(house, brokers):
            await folded_as_recorded(house)


async def test_a_batch_is_bounded_in_bytes(
    house: House, brokers: Brokers, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(term, "BYTES_PER_BATCH", 20_000)
    sizes: list[int] = []
    made = term.Term._made

    async def watched(self: Any, rows: Any) -> Any:
        sizes.append(sum(len(row[2] or b"") for row in rows))
        return await made(self, rows)

    monkeypatch.setattr(term.Term, "_made", watched)
    await written(house, *(f"{n}{TOO_LONG}" for n in range(8)))
    async with relaying(house, brokers):
        with worker(house, brokers):
            await folded_as_recorded(house)
    assert max(sizes) <= 20_000 + 6_000 and len(sizes) >= 20
    assert_unbroken_runs(await read_all(brokers, topic), await stored_order(house))
    async with house.pool.connection() as conn:
        assert await bounded(conn, 0, ROWS_PER_BATCH, 1) == 1, "one that is too large by itself goes alone"
        assert 2 <= await bounded(conn, 0, ROWS_PER_BATCH, 60_000) < 12
