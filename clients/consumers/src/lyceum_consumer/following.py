"""What becomes of each record: applied, dropped as a duplicate, or a step to the next generation of its topic.

The rules are those of docs/consuming-events.md. No Kafka in here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from lyceum_consumer.errors import NotOurs, RecordsMissing
from lyceum_consumer.schemas import Schemas
from lyceum_consumer.store import Position, Store

CLOSED: Final = "lyceum.eventfold.generation.closed.v1"
_GENERATION = re.compile(r"\.g(\d+)$")


class Record(Protocol):
    """A record as aiokafka gives it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(slots=True)
class Seen:
    """What came of the records so far."""

    applied: int = 0
    duplicates: int = 0
    crossed: int = 0


def generation(name: str) -> int:
    """`lyceum.billing.order.g3` is the third; without a suffix it is the first."""
    found = _GENERATION.search(name)
    return int(found[1]) if found else 1


def oldest(topic: str, names: Sequence[str]) -> str | None:
    """The oldest generation of a topic that exists: every one holds the whole history."""
    own = [name for name in names if _GENERATION.sub("", name) == topic]
    return min(own, key=generation, default=None)


class Follower:
    """Applies fetched runs of records to the store, each run in one transaction."""

    def __init__(self, store: Store, schemas: Schemas) -> None:
        self._store = store
        self._schemas = schemas
        self.seen = Seen()

    def apply(self, topic: str, name: str, partition: int, records: Sequence[Record]) -> bool:
        """Apply a run of one partition. Returns whether another generation of the topic is to be read from now on.

        Raises `MustStop`; then nothing of the run is applied.
        """
        with self._store.transaction():
            at = self._store.positions(name)[partition]
            for record in records:
                if at.closed or record.offset < at.next_offset:
                    continue  # whoever writes behind a closing record is late: the next generation has it too
                at = self._next(topic, name, partition, at, record)
                self._store.move(name, partition, at)
            return at.closed and self._cross(topic, name, records)

    def _next(self, topic: str, name: str, partition: int, at: Position, record: Record) -> Position:
        headers = {key: value.decode() for key, value in record.headers}
        moved = replace(at, next_offset=record.offset + 1)
        if record.key is None:  # a control record is none of the topic's events, and has no place in their order
            return replace(moved, closed=headers.get("ce_type") == CLOSED)
        if record.value is None or not {"ce_id", "ce_type", "ce_time", "ce_sequence"} <= headers.keys():
            raise NotOurs(name, partition, record.offset, "no event: a value and the headers ce_… are needed")
        seq = int(headers["ce_sequence"])
        if seq <= at.seq:
            self.seen.duplicates += 1
            return moved
        if (before := int(headers.get("ce_previoussequence", "0"))) > at.seq:
            raise RecordsMissing(name, partition, before)
        self._store.add(topic, seq, headers, self._schemas.decode(record.value))
        self.seen.applied += 1
        return replace(moved, seq=seq)

    def _cross(self, topic: str, name: str, records: Sequence[Record]) -> bool:
        """Go on to the next generation once every partition of this one is closed."""
        closing = next((json.loads(one.value or b"{}") for one in records if _closes(one)), None)
        if (
            closing is None
            or sum(one.closed for one in self._store.positions(name).values()) < closing["partitions_before"]
        ):
            return False
        self._store.read(topic, closing["next_topic"], self._beyond(topic, closing))
        self.seen.crossed += 1
        return True

    def _beyond(self, topic: str, closing: Mapping[str, Any]) -> dict[int, Position]:
        """Where the next generation goes on. A store that was restored to an earlier point keeps what it had up to a
        number: what was read above it never happened, and the next generation is read from its beginning."""
        if not closing.get("rewound"):
            return {
                partition: Position(offset, closing["barrier_seq"])
                for partition, offset in enumerate(closing["offsets"])
            }
        kept_seq = closing["histories"][-1]["kept_seq"]
        self._store.forget_above(topic, kept_seq)
        return {partition: Position(0, kept_seq) for partition in range(closing["partitions"])}


def _closes(record: Record) -> bool:
    return record.key is None and ("ce_type", CLOSED.encode()) in record.headers
