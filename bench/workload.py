"""The workload: views of Zipf-distributed content in time order, folded into two tables, one with rows per pair and one
with hot rows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple

from contracts.avro import AvroCodec
from contracts.events.catalog import INTERACTION_VIEWED, InteractionViewed
from eventfold import (
    Changes,
    Draft,
    Key,
    Projection,
    PublicRecord,
    PublicType,
    ReadTable,
    Rows,
    adds,
    on,
    projection,
)

TYPE = INTERACTION_VIEWED.name
ZIPF = 1.1
START = datetime(2026, 1, 1, tzinfo=UTC)

ADD_PAIR = """INSERT INTO bench_pair VALUES (%s, %s, %s)
ON CONFLICT (member_id, content_id) DO UPDATE SET views = bench_pair.views + 1"""
ADD_COUNTER = """INSERT INTO bench_counter VALUES (%s, %s)
ON CONFLICT (content_id) DO UPDATE SET views = bench_counter.views + 1"""
MOVE = """INSERT INTO fold_position (projection, topic, partition, next_offset, seq, occurred_at, applied_at)
VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp()) ON CONFLICT (projection, topic, partition) DO UPDATE
SET next_offset = EXCLUDED.next_offset, seq = EXCLUDED.seq, applied_at = EXCLUDED.applied_at"""


@dataclass(frozen=True)
class Load:
    """The amount and shape of the data on a topic."""

    events: int = 200_000
    partitions: int = 4
    members: int = 20_000
    contents: int = 5_000

    @property
    def topic(self) -> str:
        """The load's topic; loads of different shape have different topics."""
        return f"bench.views-{self.events}-{self.partitions}-{self.members}"


class PairRow(NamedTuple):
    """A member's views of a content item."""

    member_id: str
    content_id: str
    views: int = 0


class CounterRow(NamedTuple):
    """All views of a content item."""

    content_id: str
    views: int = 0


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


def general_views(topic: str) -> Projection:
    """The projection that counts views on `topic`, in the general form."""
    return Projection("bench", (PublicType(TYPE, InteractionViewed, topic),), (PAIRS, COUNTERS), keys, fold)


def views(topic: str) -> Projection:
    """The same, declared, as the services' projections are."""
    viewed = PublicType(TYPE, InteractionViewed, topic)
    return projection("bench", on(PAIRS, viewed, adds(views=1)), on(COUNTERS, viewed, adds(views=1)))


class Made(NamedTuple):
    """A record as the relay would send it, without the engine's own types."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def pairs(load: Load, seed: int) -> Iterator[tuple[str, str]]:
    """The member and the content of each view, in time order."""
    rng = random.Random(seed)
    weights = list(accumulate(1 / (rank**ZIPF) for rank in range(1, load.contents + 1)))
    for content in rng.choices(range(load.contents), cum_weights=weights, k=load.events):
        yield f"member-{rng.randrange(load.members):08d}", f"content-{content:06d}"


def records(load: Load, seed: int) -> Iterator[Made]:
    """The records of a load, in time order."""
    avro = AvroCodec()
    for n, (member_id, content_id) in enumerate(pairs(load, seed)):
        at = START + timedelta(milliseconds=n)
        datum: dict[str, Any] = {
            "member_id": member_id,
            "content_id": content_id,
            "watched_ms": 1000,
            "occurred_at": at,
        }
        key = member_id.encode()
        yield Made(key, avro.encode(TYPE, datum), _headers(n, at, key))


def _headers(n: int, at: datetime, key: bytes) -> list[tuple[str, bytes]]:
    return [
        ("ce_specversion", b"1.0"),
        ("ce_type", TYPE.encode()),
        ("ce_source", b"/lyceum/catalog"),
        ("ce_id", f"{n:032d}".encode()),
        ("ce_time", at.isoformat().encode()),
        ("ce_subject", b"interaction-" + key),
        ("ce_partitionkey", key),
        ("ce_aggregateversion", b"1"),
        ("ce_sequence", str(n + 1).encode()),
        ("content-type", b"application/avro"),
    ]
