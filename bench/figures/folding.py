"""Folding the community's events: by eventfold's runner, and by a bare loop over the same folds."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg

from bench.figures.community import Community, Event, headers
from contracts.avro import AvroCodec
from eventfold import PublicRecord
from eventfold.fold.projecting import load_rows, write_changes
from eventfold.fold.readmodel import given
from eventfold.fold.runs import PartitionBatch
from metrics.bootstrap import definition
from metrics.projections.groups import groups
from servicekit.testing import Delivered, House, housed, migrated

ZONE = ZoneInfo("Asia/Shanghai")
BATCH = 4_000
TURNS = 3


class Rates(NamedTuple):
    """Events per second."""

    bare: float
    ours: float


Batch = dict[str, list[Delivered]]
"""Encoded records by topic, each with its offset there."""


class Encoded:
    """Turns events into records, numbered by topic."""

    def __init__(self) -> None:
        self._avro = AvroCodec()
        self._seqs: dict[str, int] = {}

    def batches(self, events: Iterator[Event]) -> Iterator[Batch]:
        """In batches of `BATCH`."""
        while found := list(islice(events, BATCH)):
            batch: Batch = {}
            for event in found:
                topic = event.kind.topic
                self._seqs[topic] = seq = self._seqs.get(topic, 0) + 1
                value = self._avro.encode(event.kind.name, event.data)
                record = Delivered(seq - 1, event.key.encode(), value, headers(event, seq))
                batch.setdefault(topic, []).append(record)
            yield batch


async def compared(url: str, folder: Path, community: Community, events: int) -> Rates:
    """Both, in turn, each on tables of its own; medians."""
    batches = list(Encoded().batches(islice(community.acts(), events)))
    bare, ours = [], []
    for _ in range(TURNS):
        bare.append(events / await _bare(url, batches))
        async with _house(url, folder) as house:
            ours.append(events / await _apply(house, batches))
    return Rates(statistics.median(bare), statistics.median(ours))


@contextlib.asynccontextmanager
async def folded(url: str, folder: Path, community: Community) -> AsyncIterator[House]:
    """The service with all that happened, its tables analysed as autovacuum would have done."""
    encoded = Encoded()
    async with _house(url, folder) as house:
        for events in (community.known(), community.acts()):
            for at, batch in enumerate(encoded.batches(events), start=1):
                await _apply(house, [batch])
                print(f"\rfolded {at * BATCH:,}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        async with house.pool.connection() as conn:
            await conn.set_autocommit(True)
            await conn.execute("VACUUM (ANALYZE)")
            await conn.set_autocommit(False)
        yield house


@contextlib.asynccontextmanager
async def _house(url: str, folder: Path) -> AsyncIterator[House]:
    async with housed(definition(ZONE), url, folder, House, metrics_zone=ZONE.key) as house:
        yield house


async def _apply(house: House, batches: Sequence[Batch]) -> float:
    """Seconds that the runner takes."""
    began = time.perf_counter()
    for batch in batches:
        await house.runner.apply([PartitionBatch(topic, 0, records) for topic, records in batch.items()])
    return time.perf_counter() - began


async def _bare(url: str, batches: Sequence[Batch]) -> float:
    """Decode, fold and write in one transaction for each batch; no position, no order, no repetition is looked at."""
    avro = AvroCodec()
    projections = [one for group in groups(ZONE) for one in group.projections]
    async with migrated(url, definition(ZONE)) as schema, await psycopg.AsyncConnection.connect(schema) as conn:
        began = time.perf_counter()
        for batch in batches:
            events = [_record(topic, record, avro) for topic, records in batch.items() for record in records]
            for projection in projections:
                wanted = given(projection, events)
                rows = await load_rows(conn, projection, wanted)
                await write_changes(conn, projection, projection.fold(rows, wanted))
            await conn.commit()
        return time.perf_counter() - began


def _record(topic: str, record: Delivered, avro: AvroCodec) -> PublicRecord[Any]:
    return PublicRecord(topic, 0, record, avro.decode(record.value))
