"""Quix Streams and Bytewax on the same topic with the same SQL, each in its best batched form.

`python -m bench.peers.consuming PEER WORK URL BOOTSTRAP TOPIC EVENTS`, like bench.consuming, in the peers' environment.
Both can also fold per event (`per-event`), the form that their documentation shows.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg

from bench.stopwatch import Stopwatch
from bench.workload import ADD_COUNTER, ADD_PAIR, COUNTERS, MOVE, PAIRS, fold, keys
from contracts.avro import AvroCodec
from eventfold import Key, PublicRecord, ReadTable

BATCH_RECORDS = 8000
TABLES: tuple[ReadTable[Any], ...] = (PAIRS, COUNTERS)


class Folding:
    """One transaction for each batch of one partition: decode, load, fold, two upserts, position."""

    def __init__(self, url: str, watch: Stopwatch) -> None:
        self._conn = psycopg.connect(url)
        self._avro = AvroCodec()
        self._watch = watch

    def each(self, value: bytes) -> None:
        """Write the same rows, event by event."""
        self._watch.begin()
        data = self._avro.decode(value)
        self._conn.execute(ADD_PAIR, (data["member_id"], data["content_id"], 1))
        self._conn.execute(ADD_COUNTER, (data["content_id"], 1))
        self._conn.commit()
        self._watch.add(1)

    def batch(self, topic: str, items: Sequence[Any]) -> None:
        """Fold a batch. `items` have key, value, headers, offset and partition."""
        self._watch.begin()
        events = [PublicRecord(topic, one.partition, one, self._avro.decode(one.value)) for one in items]
        self._write(events)
        for last in {event.partition: event for event in events}.values():
            self._conn.execute(MOVE, ["bench", topic, last.partition, last.offset + 1, last.seq, None])
        self._conn.commit()
        self._watch.add(len(events))

    def _write(self, events: Sequence[PublicRecord]) -> None:
        wanted = keys(events)
        rows = {table.name: self._load(table, wanted[table.name]) for table in TABLES}
        changes = fold(rows, events)
        for table in TABLES:
            changed = changes[table.name]
            self._conn.execute(table.upsert_sql, table.arrays([changed[key] for key in sorted(changed)]))

    def _load(self, table: ReadTable[Any], wanted: Sequence[Key]) -> dict[Key, Any]:
        found = self._conn.execute(table.load_sql, table.arrays(list(dict.fromkeys(wanted)))).fetchall()
        return {table.key(row): row for row in map(table.row_class._make, found)}


class _Item:
    """A Quix sink item with the partition of its batch."""

    __slots__ = ("headers", "key", "offset", "partition", "value")

    def __init__(self, item: Any, partition: int) -> None:
        self.key, self.value, self.headers, self.offset = item.key, item.value, item.headers, item.offset
        self.partition = partition


def quix(work: str, url: str, bootstrap: str, topic: str, watch: Stopwatch) -> None:
    from quixstreams import Application
    from quixstreams.sinks import BatchingSink

    class Sink(BatchingSink):
        def write(self, batch: Any) -> None:
            folding.batch(topic, [_Item(one, batch.partition) for one in batch])

    folding, avro = Folding(url, watch), AvroCodec()
    app = Application(
        broker_address=bootstrap,
        consumer_group=f"bench-{uuid.uuid4().hex[:8]}",
        auto_offset_reset="earliest",
        commit_every=BATCH_RECORDS,
        loglevel="ERROR",
        auto_create_topics=False,
    )
    source = app.topic(topic, value_deserializer="bytes", key_deserializer="bytes")
    frame = app.dataframe(source)
    if work == "fold":
        frame.sink(Sink())
    else:
        frame.update(folding.each if work == "per-event" else _counting(work, avro, watch))
    app.run()


def _counting(work: str, avro: AvroCodec, watch: Stopwatch) -> Any:
    def each(value: bytes) -> None:
        watch.begin()
        if work == "decode":
            avro.decode(value)
        watch.add(1)

    return each


def bytewax(work: str, url: str, bootstrap: str, topic: str, watch: Stopwatch) -> None:
    import bytewax.operators as op
    from bytewax.connectors.kafka import KafkaSource
    from bytewax.dataflow import Dataflow
    from bytewax.outputs import DynamicSink, StatelessSinkPartition
    from bytewax.testing import run_main

    folding, avro = Folding(url, watch), AvroCodec()

    class Partition(StatelessSinkPartition[Any]):
        def write_batch(self, items: list[Any]) -> None:
            watch.begin()
            if work == "fold":
                return folding.batch(topic, items)
            if work == "per-event":
                for one in items:
                    folding.each(one.value)
                return None
            if work == "decode":
                items = [avro.decode(one.value) for one in items]
            return watch.add(len(items))

    class Sink(DynamicSink[Any]):
        def build(self, step_id: str, worker_index: int, worker_count: int) -> Partition:
            return Partition()

    flow = Dataflow("bench")
    source = op.input("in", flow, KafkaSource([bootstrap], [topic], batch_size=BATCH_RECORDS))
    op.output("out", source, Sink())
    run_main(flow)


PEERS = {"quix": quix, "bytewax": bytewax}

if __name__ == "__main__":
    peer, work_, url_, bootstrap_, topic_, events_ = sys.argv[1:]
    PEERS[peer](work_, url_, bootstrap_, topic_, Stopwatch(int(events_)))
