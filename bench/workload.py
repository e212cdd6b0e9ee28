"""What is folded: views of Zipf-distributed content in time order, into two tables, one row narrow and one hot."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from contracts.avro import AvroCodec
from eventfold.publish import Record, partition_of, rfc3339
from eventfold.readmodel import Changes, Draft, Key, Projection, PublicRecord, ReadTable, Rows

TYPE = "lyceum.catalog.interaction.viewed.v1"
TOPIC = "bench.views"
PARTITIONS = 4
MEMBERS = 20_000
CONTENTS = 5_000
ZIPF = 1.1
START = datetime(2026, 1, 1, tzinfo=UTC)


class PairRow(NamedTuple):
    """A member's views of a content item."""

    member_id: str
    content_id: str
    views: int


class CounterRow(NamedTuple):
    """All views of a content item."""

    content_id: str
    views: int


PAIRS = ReadTable("bench_pair", PairRow, key_columns=2)
COUNTERS = ReadTable("bench_counter", CounterRow)


def keys(events: Sequence[PublicRecord]) -> dict[str, list[Key]]:
    return {
        PAIRS.name: [(event.data["member_id"], event.data["content_id"]) for event in events],
        COUNTERS.name: [(event.data["content_id"],) for event in events],
    }


def fold(rows: Rows, events: Sequence[PublicRecord]) -> Changes:
    draft = Draft(rows)
    for event in events:
        member_id, content_id = event.data["member_id"], event.data["content_id"]
        pair = draft.get(PAIRS, (member_id, content_id)) or PairRow(member_id, content_id, 0)
        draft.put(PAIRS, PairRow(member_id, content_id, pair.views + 1))
        counter = draft.get(COUNTERS, (content_id,)) or CounterRow(content_id, 0)
        draft.put(COUNTERS, CounterRow(content_id, counter.views + 1))
    return draft.changes()


VIEWS = Projection("bench", (TOPIC,), (PAIRS, COUNTERS), keys, fold)


def records(count: int, seed: int) -> Iterator[tuple[int, Record]]:
    """`count` records with their partitions, as the relay would send them."""
    rng, avro = random.Random(seed), AvroCodec()
    weights = [1 / (rank**ZIPF) for rank in range(1, CONTENTS + 1)]
    contents = rng.choices(range(CONTENTS), weights, k=count)
    for n in range(count):
        member_id = f"member-{rng.randrange(MEMBERS):08d}"
        at = START + timedelta(milliseconds=n)
        datum = {"member_id": member_id, "content_id": f"content-{contents[n]:06d}", "watched_ms": 1000,
                 "occurred_at": at}  # fmt: skip
        key = member_id.encode()
        yield partition_of(key, PARTITIONS), Record(TOPIC, key, avro.encode(TYPE, datum), _headers(n, at, key), n)


def _headers(n: int, at: datetime, key: bytes) -> list[tuple[str, bytes]]:
    return [
        ("ce_specversion", b"1.0"), ("ce_type", TYPE.encode()), ("ce_source", b"/lyceum/catalog"),
        ("ce_id", f"{n:032d}".encode()), ("ce_time", rfc3339(at).encode()), ("ce_subject", b"interaction-" + key),
        ("ce_partitionkey", key), ("ce_aggregateversion", b"1"), ("ce_sequence", str(n + 1).encode()),
        ("content-type", b"application/avro"),
    ]  # fmt: skip
