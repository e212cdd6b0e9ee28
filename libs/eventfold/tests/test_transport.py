"""The transport: where aiokafka fails under a rebalance, and what the broker holds back for it."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from eventfold.fold.faust_transport import (
    BUSY_LINGER_S,
    PARTLY_PAUSED_WAIT_S,
    RATE_WINDOW_S,
    BatchConsumer,
    BatchTransport,
    ConsumerThread,
    Pace,
)
from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import prepare_topics

LINGER_S = 0.2
LONG_MS = 20_000
"""Longer than a fetch may take, and what a broker may be asked to wait."""
RECORDS, APART_S = 40, 0.01


class Fetching(BatchConsumer):
    """A consumer of two partitions without Kafka: its next fetch fails, or has nothing."""

    flow_active = True
    should_stop = False

    def __init__(self, failure: Exception | None = None, paused: int = 0) -> None:
        self._failure = failure
        self._paused_partitions = {TP("t", number) for number in range(paused)}
        self.sought = 0
        self.waited_s: list[float] = []

    def _get_active_partitions(self) -> set[Any]:
        return {TP("t", 0), TP("t", 1)} - self._paused_partitions

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        self.waited_s.append(timeout)
        if self._failure:
            raise self._failure
        return None, set()

    async def perform_seek(self) -> None:
        self.sought += 1


async def test_a_partition_that_vanishes_in_mid_fetch_makes_it_read_again_from_the_stored_positions() -> None:
    consumer = Fetching(KeyError("t-0"))
    assert [message async for message in consumer.getmany(1.0)] == []
    assert consumer.sought == 1


async def test_other_failures_of_a_fetch_are_not_swallowed() -> None:
    consumer = Fetching(RuntimeError("the broker says no"))
    with pytest.raises(RuntimeError):
        [message async for message in consumer.getmany(1.0)]
    assert consumer.sought == 0


@pytest.mark.parametrize(("paused", "waits_s"), [(0, 1.0), (1, PARTLY_PAUSED_WAIT_S)])
async def test_records_of_a_partition_that_is_resumed_do_not_wait_for_another_that_has_none(
    paused: int, waits_s: float
) -> None:
    """Faust pauses one partition after the other as their records pile up: the rest may have nothing more to come."""
    consumer = Fetching(paused=paused)
    assert [message async for message in consumer.getmany(1.0)] == []
    assert consumer.waited_s == [waits_s]


def batching(brokers: Brokers, linger_s: float = 0.0) -> Any:
    """Faust's consumer of a worker with this setting."""
    app = faust.App(uuid.uuid4().hex, store="memory://", **brokers.faust())
    transport = BatchTransport(url=app.conf.broker_consumer, app=app, loop=asyncio.get_running_loop())
    transport.linger_s = linger_s
    return BatchConsumer(transport, nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing)


def consumer_of(brokers: Brokers, linger_s: float) -> AIOKafkaConsumer:
    """aiokafka's consumer of a worker with this setting."""
    consumer = batching(brokers, linger_s)
    thread = ConsumerThread(consumer, loop=consumer.loop, beacon=consumer.beacon)
    return thread._create_worker_consumer(consumer.transport)


@given(runs=st.lists(st.lists(st.integers(1, 50), max_size=5), min_size=1, max_size=20))
def test_what_is_acknowledged_is_committed_whole_and_nothing_of_it_is_kept(runs: list[list[int]]) -> None:
    """Each run is a commit's worth of messages, by how many records each stands for."""

    async def acknowledging() -> None:
        consumer = batching(Brokers("nowhere:9"))
        consumer.app.topics.acks_enabled_for = lambda _: True
        place, offset = TP("t", 0), 100
        for run in runs:
            for records in run:
                await consumer._add_gap(place, offset + 1, offset + records)
                offset += records
                assert consumer.ack(consumer._message(place, offset, []))
            committable = consumer._filter_committable_offsets([place])
            assert committable == ({place: offset + 1} if run else {})
            consumer._committed_offset.update(committable)
            assert not consumer._acked[place] and not consumer._acked_index[place] and not consumer._gap[place]

    asyncio.run(acknowledging())


def test_a_busy_feed_is_held_back_and_one_that_became_slow_is_not() -> None:
    now = [0.0]
    pace = Pace(0.0, clock=lambda: now[0])
    held_back = []
    for records in (10, 600, 600, 10, 10):
        now[0] += RATE_WINDOW_S
        pace.fetched(records)
        held_back.append(pace.linger_s)
    assert held_back == [0.0, BUSY_LINGER_S, BUSY_LINGER_S, 0.0, 0.0]


async def nothing(_: Any) -> None:
    """Never called: Faust does not run."""


async def test_a_worker_says_that_it_reads_only_while_no_partition_changes_hands() -> None:
    consumer = batching(Brokers("nowhere:9"))

    def ready() -> float | None:
        return REGISTRY.get_sample_value("eventfold_fold_ready", {"group": consumer.app.conf.id})

    consumer.resume_flow()
    assert ready() == 1
    consumer.stop_flow()
    assert ready() == 0


async def test_with_linger_many_small_fetches_become_few(brokers: Brokers) -> None:
    topic = f"linger.{uuid.uuid4().hex}"
    await prepare_topics(brokers, [topic], partitions=1)
    consumer, producer = consumer_of(brokers, LINGER_S), AIOKafkaProducer(**brokers.client())
    await asyncio.gather(consumer.start(), producer.start())
    try:
        consumer.assign([TopicPartition(topic, 0)])
        started = time.monotonic()
        sending = asyncio.create_task(_send_slowly(producer, topic))
        received = fetches = 0
        while received < RECORDS:
            fetched = await consumer.getmany(timeout_ms=5000)
            received += sum(map(len, fetched.values()))
            fetches += 1
        await sending
        assert received == RECORDS
        assert fetches <= (time.monotonic() - started) / LINGER_S + 2
    finally:
        await asyncio.gather(consumer.stop(), producer.stop())


async def test_a_partition_left_out_of_a_fetch_is_not_kept_waiting_for_the_others(brokers: Brokers) -> None:
    """As under back-pressure: while one partition is paused, a fetch waits for the other, which has nothing."""
    topic = f"partial.{uuid.uuid4().hex}"
    await prepare_topics(brokers, [topic], partitions=2)
    consumer, producer = consumer_of(brokers, 0.0), AIOKafkaProducer(**brokers.client())
    consumer._fetch_max_wait_ms = LONG_MS
    await asyncio.gather(consumer.start(), producer.start())
    try:
        quiet, busy = TopicPartition(topic, 0), TopicPartition(topic, 1)
        consumer.assign([quiet, busy])
        consumer.pause(busy)
        await producer.send_and_wait(topic, b"waiting", partition=1)
        assert await consumer.getmany(timeout_ms=200) == {}, "the fetch without it is under way"
        consumer.resume(busy)
        async with asyncio.timeout(LONG_MS / 2000):
            fetched = await consumer.getmany(timeout_ms=LONG_MS)
        assert [record.value for record in fetched[busy]] == [b"waiting"]
    finally:
        await asyncio.gather(consumer.stop(), producer.stop())


async def _send_slowly(producer: AIOKafkaProducer, topic: str) -> None:
    for n in range(RECORDS):
        await producer.send_and_wait(topic, b"%d" % n)
        await asyncio.sleep(APART_S)
