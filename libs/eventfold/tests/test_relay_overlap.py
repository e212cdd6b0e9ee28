"""While a batch is sent the relay sequences the next one: what fails meanwhile, and what must not be sent after it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
from aiokafka.errors import KafkaConnectionError
from house import House, context
from memory_kafka import Kafka
from shelf import CODEC, TOPIC, add
from stepped_relay import GatedConnection, SteppedRelay

from eventfold.publish import term
from eventfold.publish.brokers import Brokers
from eventfold.publish.relay import Relay
from eventfold.publish.sending import Producer
from eventfold.publish.witness import tails_of

STEPS = 100
WHILE_S, NEVER_S = 0.05, 3600.0


@pytest.fixture
async def kafka(house: House) -> AsyncIterator[Kafka]:
    kafka = Kafka()
    kafka.make(house.prefix + TOPIC, 1)
    yield kafka
    await GatedConnection.close_spare()


async def leading(house: House, kafka: Kafka, name: str) -> SteppedRelay:
    leader = SteppedRelay(house, kafka, name)
    await leader.start()
    return leader


async def until_both(leader: SteppedRelay, one: str, other: str) -> None:
    """Step until it stands at exactly these two gates; passing only gates that lead there."""
    for _ in range(STEPS):
        points = [point for point, _ in leader.gates.waiting]
        if sorted(points) == sorted((one, other)):
            return
        await leader.step(next((n for n, point in enumerate(points) if point not in (one, other)), 0))
    raise AssertionError(f"never at {one} and {other}, but at {leader.gates.waiting}")


async def until_idle(leader: SteppedRelay) -> None:
    """Step wherever else it stands until it only waits for work."""
    while not leader.idle:
        await leader.step(next(n for n, (point, _) in enumerate(leader.gates.waiting) if point != "idle"))


def sent(house: House, kafka: Kafka) -> list[int]:
    return [record.seq for record in kafka.log(house.prefix + TOPIC).partitions[0]]


async def test_a_failed_send_ends_the_term_once_the_sequencing_beside_it_is_done(
    house: House, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(term, "ROWS_PER_BATCH", 1)
    for title in ("first", "second", "third"):
        await house.store.handle(add("one", title), context())
    leader = await leading(house, kafka, "first")
    await until_both(leader, "send", "before transaction")
    await leader.fail_a_send(0)
    assert leader.gates.waiting, "it waits for its sequencing"
    while not leader.ended:
        await leader.step(0)
    assert isinstance(leader.failure, KafkaConnectionError)
    assert sent(house, kafka) == [], "what was sequenced beside the failed send must not go before it"

    successor = await leading(house, kafka, "second")
    await until_idle(successor)
    await successor.crash()
    assert sent(house, kafka) == [1, 2, 3]


async def test_a_batch_with_room_for_more_is_followed_when_others_may_have_come(house: House, kafka: Kafka) -> None:
    await house.store.handle(add("one", "first"), context())
    leader = await leading(house, kafka, "first")
    await until_both(leader, "send", "idle")
    for title in ("second", "third"):
        await house.store.handle(add("one", title), context())
    await until_idle(leader)
    assert sent(house, kafka) == [1], "it is not looked for more while it waits"
    await leader.step(0)
    await until_idle(leader)
    await leader.crash()
    assert sent(house, kafka) == [1, 2, 3]


async def test_who_waits_for_others_to_come_is_not_woken_by_the_first_of_them(house: House, kafka: Kafka) -> None:
    waiting = Relay(
        name="relay",
        holder="one",
        connect=house.connect,
        producers=lambda: Producer(Brokers(""), ""),
        publisher=house.publisher,
        codec=CODEC,
        topics=[],
        tails=tails_of(Brokers("")),
    )
    waiting.wake()
    started = time.monotonic()
    await waiting.wait_for_work(NEVER_S, at_least_s=WHILE_S)
    assert WHILE_S <= time.monotonic() - started < NEVER_S
