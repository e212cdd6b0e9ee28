"""While a batch is sent the relay sequences the next one: what fails meanwhile, and what must not be sent after it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiokafka.errors import KafkaConnectionError
from house import House, context
from memory_kafka import Kafka
from shelf import TOPIC, add
from stepped_relay import GatedConnection, SteppedRelay

from eventfold import relay

STEPS = 100


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


def sent(house: House, kafka: Kafka) -> list[int]:
    return [record.seq for record in kafka.log(house.prefix + TOPIC).partitions[0]]


async def test_a_failed_send_ends_the_term_once_the_sequencing_beside_it_is_done(
    house: House, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "ROWS_PER_BATCH", 1)
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
    while not successor.idle:
        await successor.step(0)
    await successor.crash()
    assert sent(house, kafka) == [1, 2, 3]
