"""Complete folds of the same topic with the same SQL: eventfold on the batch transport, a bare loop, stock Faust.

Each runs as a process of its own: `python -m bench.folding PEER URL BOOTSTRAP EVENTS`, and prints events and seconds
from the first batch in hand to the last commit.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faust
import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from psycopg_pool import AsyncConnectionPool

from bench.workload import PARTITIONS, TOPIC, VIEWS
from contracts.avro import AvroCodec
from eventfold.fold import FoldRunner, PartitionBatch, Run, load_rows, write_changes
from eventfold.readmodel import PublicRecord
from eventfold.worker import FETCH_BYTES_PER_PARTITION, FETCH_RECORDS, fold_app, run

MOVE = """INSERT INTO fold_position (projection, topic, partition, next_offset, seq, occurred_at, applied_at)
VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp()) ON CONFLICT (projection, topic, partition) DO UPDATE
SET next_offset = EXCLUDED.next_offset, seq = EXCLUDED.seq, applied_at = EXCLUDED.applied_at"""


class Stopwatch:
    """From the first batch to the last; prints and leaves when all events are done."""

    def __init__(self, events: int) -> None:
        self._events, self._done, self._started = events, 0, 0.0

    def begin(self) -> None:
        self._started = self._started or time.perf_counter()

    def add(self, count: int) -> None:
        self._done += count
        if self._done >= self._events:
            print(json.dumps({"events": self._done, "seconds": time.perf_counter() - self._started}), flush=True)
            os._exit(0)


class TimedRunner(FoldRunner):
    """eventfold's runner, watched from outside."""

    watch: Stopwatch

    def decode(self, batches: Sequence[PartitionBatch]) -> list[Run]:
        self.watch.begin()
        return super().decode(batches)

    async def apply_decoded(self, runs: Sequence[Run]) -> None:
        await super().apply_decoded(runs)
        self.watch.add(sum(map(len, runs)))


def eventfold(url: str, bootstrap: str, watch: Stopwatch) -> None:
    pool = AsyncConnectionPool(url, min_size=1, max_size=2, open=False, kwargs={"autocommit": True})
    runner = TimedRunner(worker="bench", pool=pool, avro=AvroCodec(), projections=[VIEWS])
    runner.watch = watch
    run(fold_app(group="bench", bootstrap=bootstrap, runner=runner, pool=pool), loglevel="ERROR")


def bare(url: str, bootstrap: str, watch: Stopwatch) -> None:
    asyncio.run(_bare(url, bootstrap, watch))


async def _bare(url: str, bootstrap: str, watch: Stopwatch) -> None:
    """The shortest loop that keeps position and rows together: one transaction per fetch."""
    avro = AvroCodec()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES_PER_PARTITION,
    )  # fmt: skip
    await consumer.start()
    consumer.assign([TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)])
    async with await psycopg.AsyncConnection.connect(url) as conn:
        while True:
            batches = await consumer.getmany(timeout_ms=1000, max_records=FETCH_RECORDS)
            if batches:
                watch.begin()
                count = await _bare_batch(conn, batches, avro)
                await conn.commit()
                watch.add(count)


async def _bare_batch(conn: Any, batches: Any, avro: AvroCodec) -> int:
    events = [
        PublicRecord(one.topic, one.partition, one.offset, one.key.decode(), dict(one.headers), one.value,
                     avro.decode(one.value))
        for batch in batches.values() for one in batch
    ]  # fmt: skip
    await write_changes(conn, VIEWS, VIEWS.fold(await load_rows(conn, VIEWS, events), events))
    for place, batch in batches.items():
        last = batch[-1]
        seq = int(dict(last.headers)["ce_sequence"])
        await conn.execute(MOVE, [VIEWS.name, place.topic, place.partition, last.offset + 1, seq, None])
    return len(events)


def stock_faust(url: str, bootstrap: str, watch: Stopwatch) -> None:
    """Faust as its documentation shows it: one event at a time, the same two rows upserted for each."""
    avro = AvroCodec()
    app = faust.App(
        "bench-stock", broker=f"kafka://{bootstrap}", store="memory://", web_enabled=False, topic_disable_leader=True,
        topic_allow_declare=False, datadir=Path(tempfile.mkdtemp()),
    )  # fmt: skip
    topic = app.topic(TOPIC, key_serializer="raw", value_serializer="raw", internal=True)
    connected: list[Any] = []

    async def each(stream: Any) -> None:
        async for value in stream:
            if not connected:
                connected.append(await psycopg.AsyncConnection.connect(url))
            watch.begin()
            data = avro.decode(value)
            pair = (data["member_id"], data["content_id"], 1)
            await connected[0].execute(ADD_PAIR, pair)
            await connected[0].execute(ADD_COUNTER, (data["content_id"], 1))
            await connected[0].commit()
            watch.add(1)

    app.agent(topic)(each)
    faust.Worker(app, loglevel="ERROR", override_logging=False).execute_from_commandline()


ADD_PAIR = """INSERT INTO bench_pair VALUES (%s, %s, %s)
ON CONFLICT (member_id, content_id) DO UPDATE SET views = bench_pair.views + 1"""
ADD_COUNTER = """INSERT INTO bench_counter VALUES (%s, %s)
ON CONFLICT (content_id) DO UPDATE SET views = bench_counter.views + 1"""
PEERS = {"eventfold": eventfold, "bare": bare, "stock-faust": stock_faust}

if __name__ == "__main__":
    peer, url_, bootstrap_, events_ = sys.argv[1:]
    PEERS[peer](url_, bootstrap_, Stopwatch(int(events_)))
