"""Decides what is applied as sets: fetches that are large enough, of values that can be read as columns, for
projections whose declarations say how to merge."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from eventfold.fold.kafka_batches import Records
from eventfold.fold.readmodel import Projection
from eventfold.fold.runs import Columns, Fresh, PartitionBatch, Run
from eventfold.postgres.sessions import Connection
from eventfold.publish.generations import logical
from eventfold.publish.publisher import Avro

if TYPE_CHECKING:
    from eventfold.fold.fetched import Fetched, Grouped

log = logging.getLogger(__name__)

POLARS_THREADS = "1"
"""What is grouped takes milliseconds: handing it to other threads takes as long."""
SETS_FROM_RECORDS = 200
"""The size from which a fetch is applied as sets: columns have a cost for each fetch, events one for each event."""


class Sets:
    """Reads fetches as columns for the projections that can merge them."""

    def __init__(self, avro: Avro, projections: Sequence[Projection]) -> None:
        self._merging = [one for one in projections if one.merges]
        if self._merging:
            os.environ.setdefault("POLARS_MAX_THREADS", POLARS_THREADS)
            from eventfold.fold import columns, fetched, heads  # only here: see there

            self._fetched, self._heads, self._unreadable = fetched, heads, columns.Unreadable
            self._blocks = columns.Blocks(avro)
            self._fields = fetched.fields_of(self._merging)

    def worth_it(self, batches: Sequence[PartitionBatch]) -> bool:
        """Whether these batches are enough to be read as columns."""
        return bool(self._merging) and sum(len(one.records) for one in batches) >= SETS_FROM_RECORDS

    def columns(self, batches: Sequence[PartitionBatch]) -> list[Columns | None]:
        """The heads and values of each batch, read without making an object of each record; None if they are not laid
        out as relays write them."""
        records = [one.records for one in batches if isinstance(one.records, Records)]
        if len(records) < len(batches):
            return [None] * len(batches)
        try:
            return list(self._heads.columns_of(records))
        except self._unreadable as reason:
            if len(batches) > 1:  # the others may be
                return [one for batch in batches for one in self.columns([batch])]
            log.info("%s: records are parsed one by one: %s", batches[0].topic, reason)
            return [None]

    def read(self, runs: Sequence[Run], read: Mapping[str, Collection[str]]) -> Fetched | None:
        """The columns of the runs, grouped for each projection that merges; None if they cannot be read so. `read` are
        the topics of each handler."""
        topics = {run.topic for run in runs}
        merging = [one for one in self._merging if topics & set(read[one.name])]
        if not merging or any(run.has_control_records for run in runs):
            return None
        try:
            found = self._fetched.Fetched.read(runs, self._fields, self._blocks)
        except self._unreadable as reason:
            log.info("%d records are applied one by one: %s", sum(map(len, runs)), reason)
            return None
        if len(topics) == len(set(map(logical, topics))):  # else a projection reads only one of two generations
            for one in merging:
                self.grouped(found, one, [(run, range(len(run))) for run in runs if run.topic in read[one.name]])
        return found

    def grouped(self, found: Fetched, projection: Projection, fresh: Fresh) -> Grouped | None:
        """These records, merged for a projection; None if they must be applied one by one."""
        try:
            return found.grouped(projection, fresh)
        except self._unreadable as reason:
            log.info("%s takes records one by one: %s", projection.name, reason)
            return None


async def write(conn: Connection, grouped: Grouped) -> None:
    """Merge the rows into their tables."""
    for one in grouped.statements:
        await conn.execute(one.sql, one.arrays)
