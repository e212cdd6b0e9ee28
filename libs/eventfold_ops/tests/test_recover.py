"""A store that was restored, or that is behind its topics: nothing is sent until somebody says what is true."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from deployed import command, deployment
from house import House, context
from prometheus_client import REGISTRY
from reading import header, read_all
from relaying import eventually, everything_acknowledged, relaying
from restoring import OF_STORE, TABLES, restored, saved
from shelf import TOPIC, add
from working import as_recorded, folded_as_recorded, worker

from eventfold.publish import history
from eventfold.publish.brokers import Brokers
from eventfold.publish.generations import CLOSED_TYPE
from eventfold.publish.topics import administrator, existing_topics, prepare_topics
from eventfold_ops import recover
from eventfold_ops.doctor.examining import examine
from eventfold_ops.recover import NothingToRecover

PARTITIONS = 4


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> str:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=PARTITIONS)
    return house.prefix + TOPIC


async def written(house: House, name: str, shelves: int = 8, books: int = 3) -> None:
    items = [add(f"{shelf}", f"{name}.{n}") for n in range(books) for shelf in range(shelves)]
    await house.store.handle_batch(items, context())


async def sent(house: House, brokers: Brokers) -> None:
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))


def rewound() -> float | None:
    return REGISTRY.get_sample_value("eventfold_relay_rewound", {"relay": "relay"})


async def broken(house: House, brokers: Brokers) -> list[str]:
    found = await examine(deployment(house, brokers))
    return [one.check for one in found if one.state == "broken"]


async def ids_on(brokers: Brokers, topic: str) -> dict[str, tuple[str, bytes]]:
    """What each id stands for on a topic. Fails where one stands for two facts."""
    found: dict[str, tuple[str, bytes]] = {}
    for one in await read_all(brokers, topic):
        if one.key is not None:
            fact = (header(one, "ce_subject") + header(one, "ce_aggregateversion"), one.value)
            assert found.setdefault(header(one, "ce_id"), fact) == fact, "an id stands for two facts"
    return found


@pytest.mark.parametrize("tables", [TABLES, OF_STORE], ids=["with its readers", "the emitter alone"])
async def test_after_a_restore_nothing_is_sent_until_it_is_recovered_and_then_everything_is_right(
    house: House, brokers: Brokers, topic: str, tables: tuple[str, ...]
) -> None:
    await written(house, "kept")
    with worker(house, brokers):
        await sent(house, brokers)
        await folded_as_recorded(house)
    before = await saved(house)
    await written(house, "gone", shelves=5)
    with worker(house, brokers):
        await sent(house, brokers)
        await folded_as_recorded(house)

    await restored(house, before, tables)
    house = house.restarted()
    await written(house, "new", shelves=10)
    ends = len(await read_all(brokers, topic))
    with worker(house, brokers):
        async with relaying(house, brokers) as refusing:

            async def refused() -> bool:
                return refusing.rewound is not None and rewound() == 1

            await eventually(refused)
            assert len(await read_all(brokers, topic)) == ends, "nothing is sent"
            assert await command(recover, deployment(house, brokers)) == 0
            await folded_as_recorded(house)
            assert refusing.rewound is None and rewound() == 0
        assert {row[0] for row in await house.rows("SELECT books FROM shelf_count")} == {6, 3}
    old, new = await ids_on(brokers, topic), await ids_on(brokers, f"{topic}.g2")
    assert all(new[one] == old[one] for one in old.keys() & new.keys()), "an id stands for two facts"
    closing = [one for one in await read_all(brokers, topic) if one.key is None]
    assert {header(one, "ce_type") for one in closing} == {CLOSED_TYPE} and len(closing) == PARTITIONS
    assert {header(one, "ce_rewoundto") for one in closing} == {"24"}, "whoever reads it can tell"
    assert await broken(house, brokers) == []
    await house.rows("DELETE FROM sequence_run WHERE first_seq > 1000000 RETURNING 1")
    assert "sequence" in await broken(house, brokers), "what histories leave out hides no loss"


async def test_numbers_and_ids_of_the_lost_history_are_never_given_again(
    house: House, brokers: Brokers, topic: str
) -> None:
    before = await saved(house)
    await written(house, "gone")
    await sent(house, brokers)
    await restored(house, before)
    house = house.restarted()
    await written(house, "new")
    async with relaying(house, brokers):
        assert await command(recover, deployment(house, brokers)) == 0
        await eventually(lambda: everything_acknowledged(house))
    old, new = await read_all(brokers, topic), await read_all(brokers, f"{topic}.g2")
    seqs = [{int(header(one, "ce_sequence")) for one in records if one.key} for records in (old, new)]
    assert not seqs[0] & seqs[1] and min(seqs[1]) > max(seqs[0])
    assert not {header(one, "ce_id") for one in old} & {header(one, "ce_id") for one in new}
    nonces = [{header(one, "ce_history") for one in records if one.key} for records in (old, new)]
    assert len(nonces[0]) == len(nonces[1]) == 1 and nonces[0] != nonces[1]


async def test_a_store_that_is_one_event_behind_is_noticed(house: House, brokers: Brokers, topic: str) -> None:
    await written(house, "kept")
    await sent(house, brokers)
    before = await saved(house)
    await house.store.handle(add("0", "the last one"), context())
    await sent(house, brokers)
    await restored(house, before)
    async with relaying(house, brokers) as refusing:

        async def refused() -> bool:
            return refusing.rewound is not None

        await eventually(refused)
        assert refusing.rewound and refusing.rewound.seq == 25 and refusing.rewound.last_seq == 24
        said = {one.check: one.next_step for one in await examine(deployment(house, brokers), quick=True)}
        assert "run `recover`" in said[f"end of {topic}"]


async def test_a_store_that_was_begun_anew_beside_old_topics_is_noticed(
    house: House, brokers: Brokers, topic: str
) -> None:
    await written(house, "gone")
    await sent(house, brokers)
    async with house.pool.connection() as conn:
        await conn.execute(f"TRUNCATE {', '.join(set(TABLES) - {'history'})}")
    await house.rows("UPDATE history SET nonce = 'another' RETURNING 1")
    house = house.restarted()
    for name in ("a", "b"):
        await written(house, name)
    await house.rows("INSERT INTO sequence_run SELECT 1, min(position), count(*) FROM events RETURNING 1")
    await house.rows("DELETE FROM unsequenced RETURNING 1")
    async with relaying(house, brokers) as refusing:

        async def refused() -> bool:
            return refusing.rewound is not None

        await eventually(refused)
        assert await command(recover, deployment(house, brokers)) == 0
        await eventually(lambda: everything_acknowledged(house))
    with worker(house, brokers):
        async with relaying(house, brokers):
            await folded_as_recorded(house)


async def test_a_store_that_was_restored_with_empty_topics_is_recovered_where_its_reader_is_ahead(
    house: House, brokers: Brokers, topic: str
) -> None:
    await written(house, "kept")
    await sent(house, brokers)
    before = await saved(house)
    await written(house, "gone")
    with worker(house, brokers):
        await sent(house, brokers)
        await folded_as_recorded(house)
    await restored(house, before, OF_STORE)
    async with administrator(brokers) as admin:
        await admin.delete_topics([topic])

    async def gone() -> bool:
        return topic not in await existing_topics(brokers)

    await eventually(gone)
    house = house.restarted()
    async with relaying(house, brokers):
        assert await command(recover, deployment(house, brokers), "--restored") == 0
        await written(house, "new")
        with worker(house, brokers):
            await folded_as_recorded(house)


async def test_store_and_topics_that_agree_are_left_alone(house: House, brokers: Brokers, topic: str) -> None:
    await written(house, "kept")
    await sent(house, brokers)
    with pytest.raises(NothingToRecover):
        await command(recover, deployment(house, brokers))
    assert await house.rows("SELECT count(*)::int FROM history") == [(1,)]


async def test_a_killed_recovery_is_finished_by_the_next(
    house: House, brokers: Brokers, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await saved(house)
    await written(house, "gone")
    await sent(house, brokers)
    await restored(house, before)
    house = house.restarted()
    await written(house, "new")

    async def killed(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(recover, "_taken_over", killed)
        with pytest.raises(asyncio.CancelledError):
            await command(recover, deployment(house, brokers))
    async with relaying(house, brokers):
        assert await command(recover, deployment(house, brokers)) == 0
        await eventually(lambda: everything_acknowledged(house))
    async with house.pool.connection() as conn:
        assert len(await history.load(conn)) == 2
    records = [one for one in await read_all(brokers, f"{topic}.g2") if one.key is not None]
    assert len(records) == 24 and not await as_recorded(house)
