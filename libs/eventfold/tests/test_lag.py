"""How far behind relays and workers are: what the metrics say, above all when nothing moves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka.errors import KafkaConnectionError
from delivering import record
from faust.types import TP
from house import House, context
from prometheus_client import REGISTRY
from relaying import eventually, everything_acknowledged, relaying
from shelf import COUNTING, TOPIC, JsonInsteadOfAvro, add

from eventfold import FoldGroup
from eventfold.fold.lag import FoldLag
from eventfold.fold.progress import Progress
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.publish import lag, lease
from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import prepare_topics

LATE = replace(COUNTING, name="late")


@dataclass
class Assigned:
    """What `FoldLag` asks Faust's consumer for."""

    ends: Mapping[TP, int | None] = field(default_factory=dict)
    away: bool = False

    def assignment(self) -> set[TP]:
        return set(self.ends)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int | None]:
        if self.away:
            raise KafkaConnectionError
        return {one: self.ends[one] for one in partitions}


def runner(house: House, *projections: Any) -> FoldRunner:
    return FoldRunner(
        worker="test",
        pool=house.pool,
        avro=JsonInsteadOfAvro(),
        groups=[FoldGroup("shelves", projections, parks=True)],
        topic_prefix=house.prefix,
    )


async def apply(house: House, folding: FoldRunner, records: int) -> None:
    batch = [record(n, n + 1, "a", f"{n}") for n in range(records)]
    await folding.apply([PartitionBatch(house.prefix + TOPIC, 0, batch)])


def shown(topic: str, partition: int, projection: str = "counting") -> float | None:
    labels = {"projection": projection, "topic": topic, "partition": str(partition)}
    return REGISTRY.get_sample_value("eventfold_fold_lag_records", labels)


async def test_what_each_handler_has_yet_to_apply_is_counted_from_its_own_position(house: House) -> None:
    await apply(house, runner(house, COUNTING), 3)
    topic = house.prefix + TOPIC
    assert await runner(house, COUNTING, LATE).behind({(topic, 0): 5, (topic, 1): 2}) == {
        ("counting", topic, 0): 2,
        ("late", topic, 0): 5,
        ("counting", topic, 1): 2,
        ("late", topic, 1): 2,
    }


async def test_a_partition_that_was_closed_is_not_behind(house: House) -> None:
    folding, topic = runner(house, COUNTING), house.prefix + TOPIC
    await apply(house, folding, 3)
    await house.rows("UPDATE fold_position SET closed = true RETURNING 1")
    assert await folding.behind({(topic, 0): 5}) == {}


async def test_the_metric_grows_while_nothing_is_applied_and_goes_with_its_partition(house: House) -> None:
    topic, watching = house.prefix + TOPIC, FoldLag(runner(house, COUNTING))
    await watching.look(Assigned({TP(topic, 0): 3, TP(topic, 1): None}))
    assert (shown(topic, 0), shown(topic, 1)) == (3, 0)
    await watching.look(Assigned({TP(topic, 0): 9}))
    assert (shown(topic, 0), shown(topic, 1)) == (9, None)
    await watching.look(Assigned({TP(topic, 0): 9}, away=True))
    assert shown(topic, 0) == 9, "a broker that is away takes nobody down"
    await watching.look(Assigned())
    assert shown(topic, 0) is None


async def test_a_fold_that_does_not_move_is_noticed_and_one_that_stands_still_on_purpose_is_not(house: House) -> None:
    """Given records that nobody applies, when they are looked at twice, then the worker is stuck; when their group
    stands still, it is not."""
    topic, folding, progress = house.prefix + TOPIC, runner(house, COUNTING), Progress()
    watching, assigned = FoldLag(folding, progress), Assigned({TP(house.prefix + TOPIC, 0): 3})
    await watching.look(assigned)
    await asyncio.sleep(0.01)
    await watching.look(assigned)
    stuck_s = progress.stuck_s()
    assert stuck_s > 0
    await watching.look(replace(assigned, away=True))
    assert progress.stuck_s() == stuck_s
    await apply(house, folding, 1)
    await watching.look(assigned)
    assert shown(topic, 0) == 2 and progress.stuck_s() == 0
    folding._still.add("shelves")
    await asyncio.sleep(0.01)
    await watching.look(assigned)
    assert folding.standing_still == {"counting"} and progress.stuck_s() == 0


async def test_a_relay_is_as_late_as_the_oldest_event_that_is_not_acknowledged(house: House) -> None:
    async with house.pool.connection() as conn:
        held = await lease.acquire(conn, "relay", "one")
        assert held and await lag.of_relay_s(conn, "relay") == 0
        await house.store.handle_batch([add("one", "a"), add("one", "b")], context())
        await house.rows("UPDATE events SET recorded_at = clock_timestamp() - interval '60 s' RETURNING 1")
        assert 60 <= await lag.of_relay_s(conn, "relay") < 120, "not sequenced"
        await house.rows("DELETE FROM unsequenced RETURNING 1")
        await house.rows("INSERT INTO sequence_run SELECT 1, min(position), 2 FROM events RETURNING 1")
        assert 60 <= await lag.of_relay_s(conn, "relay") < 120, "sequenced, and not sent"
        await house.rows("UPDATE events SET recorded_at = clock_timestamp() WHERE version = 2 RETURNING 1")
        await lease.move_cursor(conn, held, 1)
        assert 0 < await lag.of_relay_s(conn, "relay") < 60, "the newer one"
        await lease.move_cursor(conn, held, 2)
        assert await lag.of_relay_s(conn, "relay") == 0


async def test_a_relay_tells_also_where_no_term_comes_about(house: House, brokers: Brokers) -> None:
    def told() -> float | None:
        return REGISTRY.get_sample_value("eventfold_relay_lag_seconds", {"relay": "relay"})

    async def late() -> bool:
        return (told() or 0) > 50

    await house.store.handle(add("one", "a"), context())
    await house.rows("UPDATE events SET recorded_at = clock_timestamp() - interval '60 s' RETURNING 1")
    async with relaying(house, brokers):  # without its topic nothing is sent
        await eventually(late)
    assert (told() or 0) > 50, "it is what is stored that tells, not a term"
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=1)
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
