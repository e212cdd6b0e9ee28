"""Consumers of the same topic: eventfold on the batch transport, a bare loop, stock Faust.

Each runs as its own process, `python -m bench.consuming PEER WORK URL BOOTSTRAP TOPIC EVENTS`, and prints the number of
events and the seconds from the first batch received to the last batch done. WORK is `fold` (decode, two upserts,
position), `decode` or `raw` (delivery alone); `per-event` folds event by event, as a peer's documentation shows it.
Quix Streams and Bytewax are in bench/peers, in their own environment.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import faust
import psycopg
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from psycopg_pool import AsyncConnectionPool

from bench.stopwatch import Stopwatch
from bench.workload import ADD_COUNTER, ADD_PAIR, MOVE, general_views, views
from contracts.avro import AvroCodec
from eventfold import FoldGroup, Projection, PublicRecord
from eventfold.fold.projecting import load_rows, write_changes
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch, Run
from eventfold.fold.worker import FETCH_BYTES_PER_PARTITION, FETCH_RECORDS, fold_app, run
from eventfold.publish.brokers import Brokers

TAKE, TAKE_WITHIN_S = 1000, 0.1
"""Faust yields a list of events once it has TAKE events, or after TAKE_WITHIN_S."""


class TimedRunner(FoldRunner):
    """eventfold's runner with a stopwatch."""

    watch: Stopwatch
    work: str

    def decode(self, batches: Sequence[PartitionBatch]) -> list[Run]:
        self.watch.begin()
        return super().decode(batches) if self.work != "raw" else [batch.records for batch in batches]  # type: ignore[misc]

    async def apply_decoded(self, runs: Sequence[Run]) -> None:
        if self.work == "fold":
            await super().apply_decoded(runs)
        self.watch.add(sum(map(len, runs)))


def eventfold(work: str, url: str, bootstrap: str, topic: str, watch: Stopwatch) -> None:
    _worker(work, url, bootstrap, views(topic), watch)


def eventfold_general(work: str, url: str, bootstrap: str, topic: str, watch: Stopwatch) -> None:
    """The same worker with a projection in the general form: rows are read, folded and written back."""
    _worker(work, url, bootstrap, general_views(topic), watch)


def _worker(work: str, url: str, bootstrap: str, projection: Projection, watch: Stopwatch) -> None:
    pool = AsyncConnectionPool(url, min_size=1, max_size=2, open=False, kwargs={"autocommit": True})
    runner = TimedRunner(worker="bench", pool=pool, avro=AvroCodec(), groups=[FoldGroup("bench", (projection,))])
    runner.watch, runner.work = watch, work
    group = f"bench-{uuid.uuid4().hex[:8]}"
    run(fold_app(group=group, brokers=Brokers(bootstrap), runner=runner, pool=pool), loglevel="ERROR")


def bare(work: str, url: str, bootstrap: str, topic: str, watch: Stopwatch) -> None:
    asyncio.run(_bare(work, url, bootstrap, topic, watch))


async def _bare(work: str, url: str, bootstrap: str, topic: str, watch: Stopwatch) -> None:
    """The shortest loop that keeps position and rows together: one transaction per fetch."""
    avro, projection = AvroCodec(), general_views(topic)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES_PER_PARTITION,
    )
    await consumer.start()
    partitions = await consumer._client.fetch_all_metadata()
    consumer.assign([TopicPartition(topic, one) for one in partitions.partitions_for_topic(topic) or ()])
    async with await psycopg.AsyncConnection.connect(url) as conn:
        apply = partial(_bare_batch, conn, projection, avro)
        while True:
            batches = await consumer.getmany(timeout_ms=1000, max_records=FETCH_RECORDS)
            if batches:
                watch.begin()
                watch.add(await apply(batches) if work == "fold" else _only(work, avro, batches))


def _only(work: str, avro: AvroCodec, batches: Mapping[Any, Sequence[Any]]) -> int:
    if work == "raw":
        return sum(map(len, batches.values()))
    return len(_decoded(avro, batches))


def _decoded(avro: AvroCodec, batches: Mapping[Any, Sequence[Any]]) -> list[PublicRecord]:
    return [
        PublicRecord(place.topic, place.partition, one, avro.decode(one.value))
        for place, batch in batches.items()
        for one in batch
    ]


async def _bare_batch(conn: Any, projection: Projection, avro: AvroCodec, batches: Mapping[Any, Sequence[Any]]) -> int:
    events = _decoded(avro, batches)
    await write_changes(conn, projection, projection.fold(await load_rows(conn, projection, events), events))
    for place, batch in batches.items():
        last = batch[-1]
        seq = int(dict(last.headers)["ce_sequence"])
        await conn.execute(MOVE, [projection.name, place.topic, place.partition, last.offset + 1, seq, None])
    await conn.commit()
    return len(events)


def stock_faust(work: str, url: str, bootstrap: str, topic: str, watch: Stopwatch) -> None:
    """Faust as its documentation shows it: with `take`, many events at a time, or one event at a time."""
    avro = AvroCodec()
    app = faust.App(
        f"bench-{uuid.uuid4().hex[:8]}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        datadir=Path(tempfile.mkdtemp()),
        consumer_auto_offset_reset="earliest",
    )
    source = app.topic(topic, key_serializer="raw", value_serializer="raw", internal=True)

    async def each(stream: Any) -> None:
        conn = await psycopg.AsyncConnection.connect(url)
        async for value in stream:
            watch.begin()
            await _upsert_each(conn, avro.decode(value))
            watch.add(1)

    async def many(stream: Any) -> None:
        conn = await psycopg.AsyncConnection.connect(url)
        apply = partial(_bare_batch, conn, general_views(topic), avro)
        async for events in stream.take_events(TAKE, within=TAKE_WITHIN_S):
            watch.begin()
            batches: dict[TopicPartition, list[Any]] = defaultdict(list)
            for message in [event.message for event in events]:
                batches[TopicPartition(message.topic, message.partition)].append(message)
            watch.add(await apply(batches) if work == "fold" else _only(work, avro, batches))

    app.agent(source)(each if work == "per-event" else many)
    faust.Worker(app, loglevel="ERROR", override_logging=False).execute_from_commandline()


async def _upsert_each(conn: Any, data: Mapping[str, Any]) -> None:
    await conn.execute(ADD_PAIR, (data["member_id"], data["content_id"], 1))
    await conn.execute(ADD_COUNTER, (data["content_id"], 1))
    await conn.commit()


PEERS = {"eventfold": eventfold, "eventfold-general": eventfold_general, "bare": bare, "stock-faust": stock_faust}

if __name__ == "__main__":
    peer, work_, url_, bootstrap_, topic_, events_ = sys.argv[1:]
    PEERS[peer](work_, url_, bootstrap_, topic_, Stopwatch(int(events_)))
