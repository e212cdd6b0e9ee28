"""Topics get new generations while appends and workers go on: nothing is lost, nothing doubled, order stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka.errors import KafkaError
from deployed import command, deployment
from house import House, context
from processes import running
from reading import assert_unbroken_runs, read_all, stored_order
from relaying import eventually, everything_acknowledged, relaying
from shelf import TOPIC, add
from working import (
    BOOKS,
    SHELVES,
    as_recorded,
    folded_as_recorded,
    folded_by_a_worker_that_left,
    loading,
    publish,
    worker,
)

from eventfold.fold.worker import HALTED
from eventfold.publish import generations, sending
from eventfold.publish.brokers import Brokers
from eventfold.publish.generations import CLOSED_TYPE, physical
from eventfold.publish.topics import OnRecord, administrator, existing_topics, on_record, prepare_topics
from eventfold_ops import compare, rebuild, replay, switch
from eventfold_ops.dlq import redrive
from eventfold_ops.replay import CannotReplay
from eventfold_ops.switch import CannotSwitch

REPLAYER = Path(__file__).parent / "support" / "slow_replay.py"


@pytest.fixture
async def relayed(house: House, brokers: Brokers) -> AsyncIterator[str]:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=4)
    async with relaying(house, brokers):
        yield house.prefix + TOPIC


async def generation_states(house: House) -> list[tuple[object, ...]]:
    return await house.rows("SELECT generation, partitions, state FROM topic_generation ORDER BY 1")


async def applied_on(house: House, topic: str) -> list[tuple[object, ...]]:
    return await house.rows(f"SELECT partition, closed FROM fold_position WHERE topic = '{topic}' ORDER BY 1")


async def whole_history_is_on(house: House, brokers: Brokers, topic: str) -> None:
    records = [one for one in await read_all(brokers, topic) if one.key is not None]
    assert_unbroken_runs(records, await stored_order(house))


async def delete(brokers: Brokers, topic: str) -> None:
    async with administrator(brokers) as admin:
        await admin.delete_topics([topic])

    async def gone() -> bool:
        return topic not in await existing_topics(brokers)

    await eventually(gone)


@pytest.mark.parametrize("partitions", [4, 8])
async def test_workers_cross_over_to_a_replayed_topic_under_load(
    house: House, brokers: Brokers, relayed: str, partitions: int
) -> None:
    grow = ["--partitions", "8"] if partitions == 8 else []
    with worker(house, brokers) as one, worker(house, brokers) as two:
        await publish(house, 0)
        await folded_as_recorded(house)
        async with loading(house, "during"):
            assert await command(replay, deployment(house, brokers), TOPIC, *grow) == 0
        await publish(house, 1)
        await folded_as_recorded(house)
        assert one.poll() is None and two.poll() is None, "they start anew within their processes"
    assert await generation_states(house) == [(1, 4, "closed"), (2, partitions, "current")]
    assert await applied_on(house, relayed) == [(partition, True) for partition in range(4)]
    assert await applied_on(house, f"{relayed}.g2") == [(partition, False) for partition in range(partitions)]
    await whole_history_is_on(house, brokers, f"{relayed}.g2")
    ends = [one for one in await read_all(brokers, relayed) if one.key is None]
    assert sorted(one.partition for one in ends) == [0, 1, 2, 3], "one closing record for each partition"
    assert {dict(one.headers)["ce_type"] for one in ends} == {CLOSED_TYPE.encode()}


async def test_a_worker_that_was_down_crosses_each_barrier_in_turn(
    house: House, brokers: Brokers, relayed: str
) -> None:
    await folded_by_a_worker_that_left(house, brokers)
    deployed = deployment(house, brokers)
    async with loading(house, "down"):
        assert await command(replay, deployed, TOPIC, "--partitions", "8") == 0
        assert await command(replay, deployed, TOPIC) == 0
    assert not await as_recorded(house)
    with worker(house, brokers):
        await folded_as_recorded(house)
    assert len(await applied_on(house, f"{relayed}.g3")) == 8


async def test_a_killed_replay_is_resumed_and_a_finished_one_is_not_repeated(
    house: House, brokers: Brokers, relayed: str
) -> None:
    await publish(house, 0)
    await eventually(lambda: everything_acknowledged(house))
    with running(REPLAYER, house, brokers) as killed:

        async def half_way() -> bool:
            assert killed.poll() is None, "the replay was not slow enough to be killed"
            return await house.rows("SELECT 1 FROM topic_generation WHERE generation = 2 AND cursor > 0") != []

        await eventually(half_way, 60)
    assert await generation_states(house) == [(1, 4, "current"), (2, 8, "filling")]
    deployed = deployment(house, brokers)
    with pytest.raises(CannotReplay, match="was begun"):
        await command(replay, deployed, TOPIC, "--partitions", "6")
    for _ in range(2):
        assert await command(replay, deployed, TOPIC, "--partitions", "8") == 0
        assert await generation_states(house) == [(1, 4, "closed"), (2, 8, "current")]
    await whole_history_is_on(house, brokers, f"{relayed}.g2")
    with worker(house, brokers):
        await folded_as_recorded(house)


async def test_a_relay_that_dies_while_it_closes_is_followed_by_one_that_closes(
    house: House, brokers: Brokers, relayed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, failures = generations.close, 0

    async def dying(conn: Any, session: Any, source: str, one: Any) -> None:
        nonlocal failures
        failures += 1
        if failures > 2:
            return await whole(conn, session, source, one)
        await session.send_and_wait(
            one.name,
            orjson.dumps(one.barrier),
            partition=failures,
            headers=generations._closing_headers(one, source, failures),
        )
        raise KafkaError("died")

    monkeypatch.setattr(generations, "close", dying)
    with worker(house, brokers):
        await publish(house, 0)
        async with loading(house, "during"):
            assert await command(replay, deployment(house, brokers), TOPIC) == 0
        assert failures == 3
        await folded_as_recorded(house)


async def test_a_lost_topic_is_made_anew_from_the_store_and_handlers_go_on_where_they_were(
    house: House, brokers: Brokers, relayed: str
) -> None:
    deployed = deployment(house, brokers)
    with worker(house, brokers):
        await publish(house, 0)
        await folded_as_recorded(house)
        assert await command(switch, deployed, TOPIC) == 0, "nothing to do"
    await delete(brokers, relayed)
    with pytest.raises(CannotSwitch, match="no generation after"):
        await command(switch, deployed, TOPIC)
    with worker(house, brokers) as halted:
        assert await asyncio.to_thread(halted.wait, 60) == HALTED
    async with loading(house, "without a topic"):
        async with relaying(house, brokers, "again"):
            assert await command(replay, deployed, TOPIC, "--lost") == 0
        assert await command(switch, deployed, TOPIC) == 0
        assert await command(switch, deployed, TOPIC) == 0, "said twice, done once"
    async with relaying(house, brokers, "once more"):
        with worker(house, brokers):
            await folded_as_recorded(house)
    await whole_history_is_on(house, brokers, f"{relayed}.g2")
    assert relayed not in await existing_topics(brokers)
    await prepare_topics(brokers, [relayed], partitions=4)
    assert relayed not in await existing_topics(brokers), "what has a successor is not made again"


async def test_a_projection_that_was_carried_to_a_beginning_is_rebuilt_from_what_it_had_applied(
    house: House, brokers: Brokers, relayed: str
) -> None:
    """Given a switch after which no worker has read yet, when the projection is compared and rebuilt, then what it had
    applied is there, no less."""
    deployed = deployment(house, brokers)
    await folded_by_a_worker_that_left(house, brokers)
    before = await house.rows("SELECT * FROM shelf_count ORDER BY 1")
    await delete(brokers, relayed)
    assert await command(replay, deployed, TOPIC, "--lost") == 0
    assert await command(switch, deployed, TOPIC) == 0
    await publish(house, 1)
    await eventually(lambda: everything_acknowledged(house))
    assert await command(compare, deployed, "counting") == 0
    assert await command(rebuild, deployed, "counting") == 0
    assert await house.rows("SELECT * FROM shelf_count ORDER BY 1") == before != []
    with worker(house, brokers):
        await folded_as_recorded(house)


async def known_topics(house: House) -> OnRecord:
    async with house.pool.connection() as conn:
        return await on_record(conn)


async def test_a_lost_topic_is_left_to_its_owner_and_filled_again_from_the_store(
    house: House, brokers: Brokers, relayed: str
) -> None:
    with worker(house, brokers):
        await publish(house, 0)
        await folded_as_recorded(house)
    await delete(brokers, relayed)
    known, others = await known_topics(house), f"{house.prefix}other"
    await prepare_topics(brokers, [others, relayed], partitions=6, on_record=OnRecord({}, known.read))
    assert {others, relayed} & set(await existing_topics(brokers)) == {others}, "who only reads it waits"
    await prepare_topics(brokers, [relayed], partitions=6, on_record=OnRecord(known.written, {}))
    await publish(house, 1)
    await eventually(lambda: everything_acknowledged(house))
    await whole_history_is_on(house, brokers, relayed)
    assert (await existing_topics(brokers))[relayed] == 4, "as many as on record"
    with worker(house, brokers):
        await folded_as_recorded(house)


async def test_a_lost_generation_comes_back_and_not_the_first(house: House, brokers: Brokers, relayed: str) -> None:
    await publish(house, 0)
    assert await command(replay, deployment(house, brokers), TOPIC) == 0
    assert (await known_topics(house)).written == {f"{relayed}.g2": 4}
    for topic in (relayed, f"{relayed}.g2"):
        await delete(brokers, topic)
    await prepare_topics(brokers, [relayed], partitions=4, on_record=await known_topics(house))
    assert relayed not in await existing_topics(brokers)

    async def whole() -> bool:
        return len(await read_all(brokers, f"{relayed}.g2")) >= SHELVES * BOOKS

    await eventually(whole)
    await whole_history_is_on(house, brokers, f"{relayed}.g2")


async def test_a_topic_that_is_lost_while_it_grows_is_made_anew_with_the_partitions_that_were_begun(
    house: House, brokers: Brokers, relayed: str
) -> None:
    await publish(house, 0)
    await eventually(lambda: everything_acknowledged(house))
    async with house.pool.connection() as conn:
        await generations.begin(conn, relayed, 4, 8, predecessor_lost=False)
    await delete(brokers, relayed)
    assert await command(replay, deployment(house, brokers), TOPIC, "--lost") == 0
    assert await generation_states(house) == [(1, 4, "closed"), (2, 8, "current")]
    await whole_history_is_on(house, brokers, f"{relayed}.g2")


async def test_a_generation_that_is_lost_while_it_is_filled_is_filled_from_the_first_event_again(
    house: House, brokers: Brokers, relayed: str
) -> None:
    deployed = deployment(house, brokers)
    await publish(house, 0)
    await eventually(lambda: everything_acknowledged(house))
    async with house.pool.connection() as conn:
        one = await generations.begin(conn, relayed, 4, 4, predecessor_lost=False)
        await deployed.prepare_topic(one.name, 4)
        async with sending.started(deployed.producer("test")) as session:
            one = await generations.fill(conn, session, deployed.publisher, deployed.codec, one)
        assert one.cursor > 0
        await generations.mark_filled(conn, one)
    await delete(brokers, one.name)
    assert await command(replay, deployed, TOPIC) == 0
    assert await generation_states(house) == [(1, 4, "closed"), (2, 4, "current")]
    await whole_history_is_on(house, brokers, one.name)


async def test_a_filler_that_wakes_up_late_moves_nothing_back(
    house: House, brokers: Brokers, relayed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "ROWS_PER_FILL", 20)
    deployed = deployment(house, brokers)
    await deployed.prepare_topic(f"{relayed}.g2", 4)  # so early that it has a leader when it is filled
    await publish(house, 0)
    await eventually(lambda: everything_acknowledged(house))
    async with house.pool.connection() as conn, sending.started(deployed.producer("test")) as session:
        begun = await generations.begin(conn, relayed, 4, 4, predecessor_lost=False)
        ahead = begun
        for _ in range(3):
            ahead = await generations.fill(conn, session, deployed.publisher, deployed.codec, ahead)
        late = await generations.fill(conn, session, deployed.publisher, deployed.codec, begun)
        assert 0 < late.cursor < ahead.cursor
        [_, kept] = await generations.load(conn, relayed)
    assert kept == ahead
    assert await command(replay, deployed, TOPIC) == 0
    await whole_history_is_on(house, brokers, begun.name)


async def test_a_generation_that_is_lost_before_the_one_before_it_was_closed_is_made_anew(
    house: House, brokers: Brokers, relayed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(house, 0)

    async def dying(*_: Any) -> None:
        raise KafkaError("died")

    monkeypatch.setattr(generations, "close", dying)
    monkeypatch.setattr(replay, "SWITCHED_WITHIN_S", 2.0)
    with pytest.raises(replay.NotSwitched):
        await command(replay, deployment(house, brokers), TOPIC)
    assert await generation_states(house) == [(1, 4, "closing"), (2, 4, "current")]
    monkeypatch.undo()
    await delete(brokers, f"{relayed}.g2")
    assert await command(replay, deployment(house, brokers), TOPIC, "--lost") == 0
    assert await generation_states(house) == [(1, 4, "closed"), (2, 4, "closed"), (3, 4, "current")]
    await whole_history_is_on(house, brokers, f"{relayed}.g3")


async def test_floors_are_not_carried_to_another_number_of_partitions(
    house: House, brokers: Brokers, relayed: str
) -> None:
    deployed = deployment(house, brokers)
    await folded_by_a_worker_that_left(house, brokers)
    assert await command(replay, deployed, TOPIC, "--partitions", "8") == 0
    with pytest.raises(CannotSwitch, match="had 4 partitions"):
        await command(switch, deployed, TOPIC)
    assert await applied_on(house, f"{relayed}.g2") == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["test.library.nothing"], "does not emit it"),
        ([TOPIC, "--partitions", "2"], "topics only grow"),
        ([TOPIC, "--lost", "--partitions", "8"], "grow it afterwards"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    house: House, brokers: Brokers, relayed: str, arguments: list[str], reason: str
) -> None:
    with pytest.raises(CannotReplay, match=reason):
        await command(replay, deployment(house, brokers), *arguments)
    assert await generation_states(house) == []
    assert physical(relayed, 2) not in await existing_topics(brokers)


async def test_what_was_parked_before_a_growth_is_redriven_after_it(
    house: House, brokers: Brokers, relayed: str
) -> None:
    deployed = deployment(house, brokers)
    await house.store.handle_batch([add("one", "poison"), add("one", "b")], context())
    with worker(house, brokers):

        async def both_parked() -> bool:
            return await house.rows("SELECT seq FROM dead_letter ORDER BY seq") == [(1,), (2,)]

        await eventually(both_parked, 60)
        assert await command(replay, deployed, TOPIC, "--partitions", "8") == 0

        async def crossed() -> bool:
            return len(await applied_on(house, f"{relayed}.g2")) == 8

        await eventually(crossed, 60)
        await house.store.handle(add("one", "c"), context())

        async def waiting_behind() -> bool:
            return len(await house.rows("SELECT 1 FROM dead_letter")) == 3

        await eventually(waiting_behind, 60)
    async with house.pool.connection() as conn:
        await conn.execute("DELETE FROM dead_letter WHERE seq = 1")
    async with house.pool.connection() as conn:
        assert await redrive(conn, deployed.projections[0], deployed.avro, "one") == 2
    assert await house.rows("SELECT digest FROM shelf_count") == [("b;c;",)]
