"""The relay, from rows without `seq` to the moved cursor, compared with aiokafka sending the same records."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from bench.appending import CODEC, STREAM, Viewed, make_store, to_public
from bench.workload import TYPE
from contracts.avro import AvroCodec
from eventfold import Ask, Connection, Context, Item, Recorded, StreamType
from eventfold.fold.garbage import collect_less
from eventfold.publish.brokers import Brokers
from eventfold.publish.publisher import Publisher, Record, partition_of
from eventfold.publish.relay import Relay
from eventfold.publish.sending import Producer
from eventfold.publish.topics import prepare_topics
from eventfold.publish.witness import tails_of
from eventfold.vocabulary.public import topic_of
from servicekit import database

PARTITIONS = 4
DEADLINE_S = 300.0
LOOK_S = 0.02
RECORDED_AT_ONCE = 1000
BY_MEMBER = StreamType("view", STREAM.decider, partition_key=lambda stream_id: stream_id.rsplit("/", 1)[-1])


async def records_per_s(url: str, brokers: Brokers, events: int, prefix: str) -> dict[str, float]:
    """Rates after connecting: of the relay, of aiokafka sending batches (as the relay does), and of aiokafka sending
    single records."""
    publisher = Publisher("/lyceum/catalog", to_public, AvroCodec(), prefix)
    await prepare_topics(brokers, [prefix + topic_of(TYPE)], partitions=PARTITIONS)
    await seed(url, events)
    collect_less()  # as in a relay's process, and the same for all contestants
    found = {"relay": await _relay(url, brokers, publisher, events, prefix)}
    records = _encoded(publisher, events)
    found["aiokafka batches"] = await _produced(brokers, records, _by_batch)
    found["aiokafka send"] = await _produced(brokers, records, _one_by_one)
    return {name: events / seconds for name, seconds in found.items()}


async def seed(url: str, events: int) -> None:
    """Record the views like a server."""
    async with database.make_pool(url, 1) as pool:
        store = make_store(pool)
        for first in range(1, events + 1, RECORDED_AT_ONCE):
            views = [(n, _view(n)) for n in range(first, min(first + RECORDED_AT_ONCE, events + 1))]
            items = [Item((Ask(BY_MEMBER, f"{n}/{view.member_id}", view, new=True),)) for n, view in views]
            await store.handle_batch(items, Context(datetime.now(UTC), "bench", "bench"))


def _view(n: int) -> Viewed:
    return Viewed(f"member-{n % 1000}", f"content-{n % 100}", 1000)


async def _relay(url: str, brokers: Brokers, publisher: Publisher, events: int, prefix: str) -> float:
    running = Relay(
        name="relay",
        holder="bench",
        connect=lambda: database.connect(url),
        producers=lambda: Producer(brokers, "bench"),
        publisher=publisher,
        codec=CODEC,
        topics=[prefix + topic_of(TYPE)],
        tails=tails_of(brokers),
    )
    task = asyncio.create_task(running.run())
    try:
        async with asyncio.timeout(DEADLINE_S), await database.connect(url) as conn:
            await _cursor_at_least(conn, 0)  # it leads; the others' connection time is not counted either
            started = time.perf_counter()
            await _cursor_at_least(conn, events)
            return time.perf_counter() - started
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _cursor_at_least(conn: Connection, wanted: int) -> None:
    while True:
        row = await (await conn.execute("SELECT cursor FROM lease")).fetchone()
        if row and row[0] >= wanted:
            return
        await asyncio.sleep(LOOK_S)


def _encoded(publisher: Publisher, events: int) -> list[Record]:
    now = datetime.now(UTC)
    made = []
    for n in range(1, events + 1):
        event = _view(n)
        meta = {"correlation_id": "bench"}
        recorded = Recorded(
            BY_MEMBER.stream(f"{n}/{event.member_id}"), 1, event, "viewed", event.member_id, now, now, meta, n, n
        )
        record = publisher.encode(recorded)
        assert record is not None
        made.append(record)
    return made


async def _produced(brokers: Brokers, records: Sequence[Record], way: object) -> float:
    session = Producer(brokers, "bench")
    await session.start()
    try:
        started = time.perf_counter()
        await way(session, records)  # type: ignore[operator]
        return time.perf_counter() - started
    finally:
        await session.stop()


async def _one_by_one(session: AIOKafkaProducer, records: Sequence[Record]) -> None:
    for record in records:
        await session.send(
            record.topic, record.value, record.key, timestamp_ms=record.timestamp_ms, headers=record.headers
        )
    await session.flush()


async def _by_batch(session: AIOKafkaProducer, records: Sequence[Record]) -> None:
    queues: dict[int, deque[Record]] = defaultdict(deque)
    for record in records:
        queues[partition_of(record.key, PARTITIONS)].append(record)
    await asyncio.gather(*(_run(session, partition, queue) for partition, queue in queues.items()))


async def _run(session: AIOKafkaProducer, partition: int, queue: deque[Record]) -> None:
    while queue:
        topic, builder = queue[0].topic, session.create_batch()
        while queue and builder.append(
            timestamp=queue[0].timestamp_ms, key=queue[0].key, value=queue[0].value, headers=queue[0].headers
        ):
            queue.popleft()
        await (await session.send_batch(builder, topic, partition=partition))
