"""The position of each handler on each partition: read under the handler's turns, moved in the transaction that wrote
its rows."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from eventfold import telemetry
from eventfold.errors import OffsetGap, RecordsMissing, StalePosition
from eventfold.fold.runs import UNTOLD, Run
from eventfold.measured.arrays import literal, literals
from eventfold.postgres import locks
from eventfold.postgres.sessions import Connection
from eventfold.vocabulary.public import TopicPartition

log = logging.getLogger(__name__)

IDLE_IN_TRANSACTION_MS = 5000
"""How long a stopped worker may keep its turns from others. Folding a batch in memory takes far less."""

# The key includes the schema: a shadow of the same projection has its own turns.
_TURNS = f"""WITH bound AS MATERIALIZED (SELECT set_config('idle_in_transaction_session_timeout', %s, true))
SELECT pg_advisory_xact_lock({locks.key("fold", "t.turn")})
FROM bound, unnest(%s::text[]) AS t(turn)"""

_STORED = """SELECT projection, topic, partition, next_offset, seq, closed,
  EXISTS (SELECT 1 FROM dead_letter d WHERE d.projection = p.projection), history
FROM fold_position p JOIN unnest(%s::text[], %s::int[]) AS w(topic, partition) USING (topic, partition)
WHERE projection = ANY(%s::text[])"""

_START = """SELECT w.topic, w.partition, min(coalesce(p.next_offset, 0))
FROM unnest(%s::text[], %s::text[], %s::int[]) AS w(projection, topic, partition)
LEFT JOIN fold_position p USING (projection, topic, partition) GROUP BY w.topic, w.partition"""

_MOVE = """WITH w AS (
  SELECT * FROM unnest(%s::text[], %s::text[], %s::int[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[],
    %s::bigint[]) AS w(projection, topic, partition, next_offset, seq, occurred_at, history, expected)
)
INSERT INTO fold_position AS p (projection, topic, partition, next_offset, seq, occurred_at, history, applied_at)
SELECT projection, topic, partition, next_offset, seq, occurred_at, history, clock_timestamp() FROM w
ON CONFLICT (projection, topic, partition) DO UPDATE
SET next_offset = EXCLUDED.next_offset, seq = EXCLUDED.seq, occurred_at = EXCLUDED.occurred_at,
    history = EXCLUDED.history, applied_at = EXCLUDED.applied_at
WHERE p.next_offset = (
  SELECT expected FROM w WHERE (w.projection, w.topic, w.partition) = (p.projection, p.topic, p.partition)
)
RETURNING projection, topic, partition"""
_MOVE_KINDS = ("text", "text", "int", "bigint", "bigint", "timestamptz", "text", "bigint")

_MOVE_TO = """INSERT INTO fold_position AS p (projection, topic, partition, next_offset, seq, applied_at)
VALUES (%s, %s, %s, %s, 0, clock_timestamp()) ON CONFLICT (projection, topic, partition) DO UPDATE
SET next_offset = EXCLUDED.next_offset WHERE p.next_offset = %s"""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a handler has come on one partition: it has applied all offsets below `next_offset`, and all numbers up
    to `seq`.

    After a closing record the partition is `closed`: later records do not count. `parked` says whether the handler had
    parked records, of any partition, when this was read.
    """

    next_offset: int
    seq: int
    closed: bool = False
    parked: bool = False
    history: str | None = None
    """The history of the last applied record."""


START = Position(0, 0)
LEFT = Position(0, 0, closed=True)
"""For a partition of a generation that a handler has left; see `crossing`."""
UNKNOWN = Position(0, 0, parked=True)
"""For a partition on which a handler has no position yet: it may still have parked records of other partitions."""


class Move(NamedTuple):
    """The next position of a handler on a partition. `expected` is its present offset."""

    handler: str
    topic: str
    partition: int
    next_offset: int
    seq: int
    occurred_at: datetime
    history: str | None
    expected: int


def place(run: Run) -> TopicPartition:
    """The partition of a run."""
    return run.topic, run.partition


async def take_turns(conn: Connection, turns: Collection[str]) -> None:
    """Wait for these turns, in the same order for all, and keep them until the transaction ends.

    PostgreSQL ends the transaction if it then stands idle for `IDLE_IN_TRANSACTION_MS`: in that case its process is
    stopped while others wait.
    """
    await conn.execute(_TURNS, [str(IDLE_IN_TRANSACTION_MS), literal("text", sorted(turns))])


async def stored(
    conn: Connection, handlers: Sequence[str], places: Sequence[TopicPartition]
) -> dict[tuple[str, TopicPartition], Position]:
    """The position of each handler on each partition where it has one. Read it under the handlers' turns."""
    cursor = await conn.execute(_STORED, [*literals(("text", "int"), places), literal("text", handlers)])
    return {(name, (topic, n)): Position(*position) for name, topic, n, *position in await cursor.fetchall()}


async def start(conn: Connection, wanted: Sequence[tuple[str, str, int]]) -> dict[TopicPartition, int]:
    """The lowest offset that the handlers (name, topic, partition) need next on each partition; 0 if one of them is
    new."""
    cursor = await conn.execute(_START, literals(("text", "text", "int"), wanted))
    return {(topic, partition): offset for topic, partition, offset in await cursor.fetchall()}


def unbroken(position: Position, run: Run) -> Run:
    """The run up to the first gap in it. Raises `RecordsMissing` if the gap is before its first record."""
    if run.continues(position.seq):
        return run
    highest = position.seq
    for n, (seq, previous) in enumerate(zip(run.heads.seqs, run.heads.previous, strict=True)):
        if seq <= highest:
            continue
        if previous > highest and n == 0:
            raise RecordsMissing(run.topic, run.partition, highest, previous, run.heads.offsets[0])
        if previous > highest:
            return run[:n]
        highest = seq
    return run


def not_applied(position: Position, run: Run) -> Sequence[int]:
    """Which records of the run lie above the position, without redelivered ones and control records. Raises `OffsetGap`
    if the records are not those for which the position was written."""
    # A mirror that writes in transactions leaves offsets without records. Then the numbers show that no record is
    # missing.
    first = run.heads.offsets[0]
    if first > position.next_offset and not UNTOLD < run.heads.previous[0] <= position.seq:
        raise OffsetGap(run.topic, run.partition, position.next_offset, first)
    everything = first >= position.next_offset and run.continues(position.seq)
    fresh = range(len(run)) if everything else _new(position, run)
    return fresh[:-1] if fresh and run.closes and fresh[-1] == len(run) - 1 else fresh


def _new(position: Position, run: Run) -> Sequence[int]:
    fresh: list[int] = []
    highest = position.seq
    for n, (seq, offset) in enumerate(zip(run.heads.seqs, run.heads.offsets, strict=True)):
        if seq > highest:
            if offset < position.next_offset:
                raise OffsetGap(run.topic, run.partition, position.next_offset, offset)
            highest = seq
            fresh.append(n)
    return fresh


def moved_over(handler: str, position: Position, run: Run) -> Move | None:
    """The position of the handler after the run; None if it was already beyond the run."""
    last_offset = run.heads.offsets[-1]
    if last_offset < position.next_offset:
        return None
    return Move(
        handler=handler,
        topic=run.topic,
        partition=run.partition,
        next_offset=last_offset + 1,
        seq=max(position.seq, max(run.heads.seqs)),
        occurred_at=run.occurred_at,
        history=run.history or position.history,
        expected=position.next_offset,
    )


async def move(conn: Connection, moves: Sequence[Move]) -> None:
    """Compare-and-set all positions. Raises `StalePosition` for the first that another worker had moved."""
    if not moves:
        return
    cursor = await conn.execute(_MOVE, literals(_MOVE_KINDS, moves))
    done = {tuple(row) for row in await cursor.fetchall()}
    for one in moves:
        if one[:3] not in done:
            telemetry.FOLD_STALE.labels(one.handler).inc()
            raise StalePosition(one.handler, one.topic, one.partition)


async def move_to(conn: Connection, handler: str, at: TopicPartition, position: Position, offset: int) -> None:
    """Let a handler read a partition from `offset` on, unless its position has moved meanwhile. Records that it has
    applied are dropped by `seq`."""
    log.error("%s reads %s[%d] from offset %d on: the topic is not what it was", handler, *at, offset)
    await conn.execute(_MOVE_TO, [handler, *at, offset, position.next_offset])


def check_within(offsets: Mapping[TopicPartition, int], beginnings: Mapping[Any, int], ends: Mapping[Any, int]) -> None:
    """Raise `OffsetGap` if a partition does not hold the next offset: Kafka would silently reset the position."""
    for (topic, partition), offset in offsets.items():
        bounded = min(max(offset, beginnings[topic, partition]), ends[topic, partition])
        if bounded != offset:
            raise OffsetGap(topic, partition, offset, bounded)
