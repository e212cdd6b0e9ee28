"""Generations of a topic: each holds its whole history, and folds cross from one to the next at a recorded barrier.

Generation 1 of a topic has the topic's own name on Kafka; generation n > 1 has the name with `.g{n}`. The emitting
service keeps the rows of `topic_generation`. A topic that was never replayed has no row, and is in generation 1. The
next generation is filled from the store while the present one is written. Then the relay's leader, between two of its
batches, fills it up to the last `seq` (the barrier), makes it current, and writes a closing record on every partition
of the old one. The new generation is current before the first closing record is written, so that the next leader writes
nothing more on a partition that may be closed. See docs/adr/0016.

If a store was restored to an earlier point, its topics hold events that never happened: they are `rewound`, and a new
generation replaces them. It begins with a record that names the store's histories. From it, a reader of the old
generation learns which of its events still hold.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
from aiokafka.errors import UnknownTopicOrPartitionError
from psycopg.types.json import Jsonb

from eventfold.measured.times import rfc3339
from eventfold.postgres.sessions import Connection
from eventfold.publish import history
from eventfold.publish import lease as leases
from eventfold.publish.history import Histories
from eventfold.publish.lease import Lease
from eventfold.publish.publisher import Publisher, Record, partition_of, placed
from eventfold.publish.sending import send_runs
from eventfold.publish.witness import OPENED_TYPE
from eventfold.vocabulary.codec import EventCodec
from eventfold.write.rows import AFTER, COLUMNS, bounded, recorded

CLOSED_TYPE = "lyceum.eventfold.generation.closed.v1"
ROWS_PER_FILL, BYTES_PER_FILL = 2000, 8 * 1024 * 1024

_GENERATION = re.compile(r"\.g([0-9]+)$")
_FIELDS = "topic, generation, partitions, state, predecessor_lost, cursor, heads, next_offsets, rewound, barrier"
_AFTER = AFTER.format(f"{COLUMNS}, seq")
# A filler that was thought dead may wake up late: it must not move the cursor back, nor change a current generation.
_FILLED = """UPDATE topic_generation SET cursor = %s, heads = %s, next_offsets = %s
WHERE topic = %s AND generation = %s AND cursor <= %s AND state IN ('filling', 'filled')"""


def physical(topic: str, generation: int) -> str:
    """The name on Kafka of a generation of `topic`."""
    return topic if generation == 1 else f"{topic}.g{generation}"


def logical(name: str) -> str:
    """The topic to which the generation `name` belongs."""
    return _GENERATION.sub("", name)


def number(name: str) -> int:
    """The generation number of the topic `name` on Kafka."""
    found = _GENERATION.search(name)
    return int(found[1]) if found else 1


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of `topic`, filled up to `cursor`. `heads` are the highest `seq` of each partition, `next_offsets`
    an offset above it.

    `barrier` is the content of the closing records, once there is a successor.
    """

    topic: str
    generation: int
    partitions: int
    state: str = "filling"
    predecessor_lost: bool = False
    cursor: int = 0
    heads: tuple[int, ...] = ()
    next_offsets: tuple[int, ...] = ()
    rewound: bool = False
    """Whether the generation before it holds events that the store does not have."""
    barrier: dict[str, Any] | None = None

    @property
    def instead(self) -> bool:
        """Whether it replaces earlier generations to which nothing more is to be sent."""
        return self.predecessor_lost or self.rewound

    @property
    def name(self) -> str:
        """Its name on Kafka."""
        return physical(self.topic, self.generation)


@dataclass(frozen=True, slots=True)
class Barrier:
    """The content of a closing record: after `seq`, the history goes on at `offsets` (by partition) of `next_topic`.

    If the closed generation was `rewound`, this is true only for readers whose position still holds in `histories`.
    """

    next_topic: str
    partitions_before: int
    seq: int
    offsets: tuple[int, ...]
    rewound: bool = False
    histories: Histories = ()

    def as_json(self) -> dict[str, Any]:
        """The form that `of` reads."""
        return {
            "next_topic": self.next_topic,
            "partitions": len(self.offsets),
            "barrier_seq": self.seq,
            "partitions_before": self.partitions_before,
            "offsets": list(self.offsets),
            "rewound": self.rewound,
            "histories": history.as_json(self.histories),
        }

    @staticmethod
    def of(data: dict[str, Any]) -> Barrier:
        """Inverse of `as_json`."""
        return Barrier(
            next_topic=data["next_topic"],
            partitions_before=data["partitions_before"],
            seq=data["barrier_seq"],
            offsets=tuple(data["offsets"]),
            rewound=data.get("rewound", False),
            histories=history.of_json(data.get("histories", [])),
        )


async def load(conn: Connection, topic: str | None = None) -> list[Generation]:
    """The generations of `topic` (of every topic, for None) that have a row, oldest first."""
    cursor = await conn.execute(
        f"SELECT {_FIELDS} FROM topic_generation WHERE %s::text IS NULL OR topic = %s ORDER BY topic, generation",
        [topic, topic],
    )
    rows = await cursor.fetchall()
    return [_generation(*row) for row in rows]


def _generation(*row: Any) -> Generation:
    *fixed, heads, offsets, rewound, barrier = row
    made = Generation(*fixed)
    return replace(made, heads=tuple(heads), next_offsets=tuple(offsets), rewound=rewound, barrier=barrier)


async def current_names(conn: Connection, topics: Sequence[str]) -> dict[str, str]:
    """The name on Kafka to which each topic is written at present."""
    found = {one.topic: one.name for one in await load(conn) if one.state == "current"}
    return {topic: found.get(topic, topic) for topic in topics}


async def begin(
    conn: Connection, topic: str, partitions_before: int, partitions: int, *, predecessor_lost: bool
) -> Generation:
    """Record that the next generation of `topic` is being filled; the first time, generation 1 gets its row too."""
    async with conn.transaction():
        await conn.execute("LOCK TABLE topic_generation IN SHARE ROW EXCLUSIVE MODE")
        known = await load(conn, topic)
        if not known:
            known = [Generation(topic, 1, partitions_before, "current")]
            await _insert(conn, known[0])
        if known[-1].state in ("filling", "filled"):
            return await _resumed(conn, known[-1], predecessor_lost)
        made = Generation(
            topic=topic,
            generation=known[-1].generation + 1,
            partitions=partitions,
            state="filling",
            predecessor_lost=predecessor_lost,
            heads=(0,) * partitions,
            next_offsets=(0,) * partitions,
        )
        await _insert(conn, made)
        return made


async def _resumed(conn: Connection, one: Generation, predecessor_lost: bool) -> Generation:
    lost = one.predecessor_lost or predecessor_lost
    await conn.execute(
        "UPDATE topic_generation SET predecessor_lost = %s WHERE topic = %s AND generation = %s",
        [lost, one.topic, one.generation],
    )
    return replace(one, predecessor_lost=lost)


async def fill_anew(conn: Connection, one: Generation) -> Generation:
    """Fill from the first event again: the records sent so far are gone with their topic. Nobody else may be filling
    it."""
    nothing = (0,) * one.partitions
    await conn.execute(
        "UPDATE topic_generation SET state = 'filling', cursor = 0, heads = %s, next_offsets = %s "
        "WHERE topic = %s AND generation = %s AND state IN ('filling', 'filled')",
        [list(nothing), list(nothing), one.topic, one.generation],
    )
    return replace(one, state="filling", cursor=0, heads=nothing, next_offsets=nothing)


async def _insert(conn: Connection, one: Generation) -> None:
    await conn.execute(
        f"INSERT INTO topic_generation ({_FIELDS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, NULL)",
        [
            one.topic,
            one.generation,
            one.partitions,
            one.state,
            one.predecessor_lost,
            one.cursor,
            list(one.heads),
            list(one.next_offsets),
            one.rewound,
        ],
    )


async def mark_filled(conn: Connection, one: Generation) -> None:
    """Record that little is left to fill: the relay's next term may switch to this generation."""
    await conn.execute(
        "UPDATE topic_generation SET state = 'filled' WHERE topic = %s AND generation = %s AND state = 'filling'",
        [one.topic, one.generation],
    )


async def begin_instead(conn: Connection, topic: str, partitions: int, generation: int) -> Generation:
    """Record that `generation` of `topic` is being filled and replaces all earlier ones, which are rewound. Any other
    fill that was begun is given up. In the caller's transaction."""
    await conn.execute("DELETE FROM topic_generation WHERE topic = %s AND state IN ('filling', 'filled')", [topic])
    if not await load(conn, topic):
        await _insert(conn, Generation(topic, 1, partitions, "current"))
    nothing = (0,) * partitions
    made = Generation(topic, generation, partitions, heads=nothing, next_offsets=nothing, rewound=True)
    await _insert(conn, made)
    return made


async def open_with(session: Any, source: str, one: Generation, histories: Histories) -> None:
    """Write the opening record on each partition of a generation. Repeating it is harmless. Raises `KafkaError`."""
    told = {"generation": one.generation, "rewound": one.rewound, "histories": history.as_json(histories)}
    value = orjson.dumps(told)
    for partition in range(one.partitions):
        headers = _control_headers(one.name, source, OPENED_TYPE, f"opened/{partition}", 0)
        await session.send_and_wait(one.name, value, partition=partition, headers=headers)


async def fill(conn: Connection, session: Any, publisher: Publisher, codec: EventCodec, one: Generation) -> Generation:
    """Send the next `ROWS_PER_FILL` sequenced events to a generation and record it. Returns it unchanged if there are
    none.

    Keeps the relay's property: each partition has an unbroken run, and the cursor never passes an unacknowledged event.
    So a fill that was killed, or that runs twice, leaves at most duplicates. Raises `KafkaError`.
    """
    count = await bounded(conn, one.cursor, ROWS_PER_FILL, BYTES_PER_FILL)
    if not count:
        return one
    rows = await (await conn.execute(_AFTER, {"after": one.cursor, "rows": count})).fetchall()
    histories = await history.load(conn)
    runs: dict[tuple[str, int], list[Record]] = {}
    heads, offsets = list(one.heads), list(one.next_offsets)
    for event in (recorded(codec, row) for row in rows):
        told = history.of_seq(histories, event.seq or 0)
        if publisher.topic(event) == one.topic and (record := publisher.encode(event, told.salt)):
            partition = partition_of(record.key, one.partitions)
            runs.setdefault((one.name, partition), []).append(placed(record, told.nonce.encode(), heads[partition]))
            heads[partition] = event.seq or 0
    for (_, partition), offset in (await send_runs(session, runs)).items():
        offsets[partition] = max(offsets[partition], offset)
    return await _filled(conn, replace(one, cursor=rows[-1][-1], heads=tuple(heads), next_offsets=tuple(offsets)))


async def _filled(conn: Connection, one: Generation) -> Generation:
    await conn.execute(
        _FILLED, [one.cursor, list(one.heads), list(one.next_offsets), one.topic, one.generation, one.cursor]
    )
    return one


async def switch(
    conn: Connection, lease: Lease, session: Any, publisher: Publisher, codec: EventCodec, one: Generation
) -> None:
    """Fill the rest and make `one` current. Call it as the relay's leader, when everything sequenced is acknowledged.

    Raises `LeaseLost` or `KafkaError`; the next term tries again.
    """
    while (filled := await fill(conn, session, publisher, codec, one)) != one:
        one = filled
    before = next(old for old in await load(conn, one.topic) if old.state == "current")
    histories = await history.load(conn)
    barrier = Barrier(
        next_topic=one.name,
        partitions_before=before.partitions,
        seq=one.cursor,
        offsets=one.next_offsets,
        rewound=one.rewound,
        histories=histories,
    )
    async with conn.transaction():
        await leases.hold(conn, lease)
        await conn.execute(
            "UPDATE topic_generation SET state = %s, barrier = %s WHERE topic = %s AND generation = %s",
            ["closed" if one.predecessor_lost else "closing", Jsonb(barrier.as_json()), one.topic, before.generation],
        )
        await conn.execute(
            "UPDATE topic_generation SET state = 'current' WHERE topic = %s AND generation = %s",
            [one.topic, one.generation],
        )
        await conn.execute("DELETE FROM relay_head WHERE topic = %s", [before.name])
        await conn.execute(
            "INSERT INTO relay_head (topic, partition, seq) SELECT %s, n - 1, seq "
            "FROM unnest(%s::bigint[]) WITH ORDINALITY AS h(seq, n)",
            [one.name, list(one.heads)],
        )


async def close(conn: Connection, session: Any, source: str, one: Generation) -> None:
    """Write the closing record on every partition of a generation that has a successor. Repeating it is harmless.

    A generation that was deleted meanwhile needs no closing record: nobody can read it, and its readers halt with
    `TopicLost`.
    """
    with contextlib.suppress(UnknownTopicOrPartitionError):
        for partition in range(one.partitions):
            headers = _closing_headers(one, source, partition)
            await session.send_and_wait(one.name, orjson.dumps(one.barrier), partition=partition, headers=headers)
    await conn.execute(
        "UPDATE topic_generation SET state = 'closed' WHERE topic = %s AND generation = %s", [one.topic, one.generation]
    )


def _closing_headers(one: Generation, source: str, partition: int) -> list[tuple[str, bytes]]:
    barrier = Barrier.of(one.barrier or {})
    headers = _control_headers(one.name, source, CLOSED_TYPE, f"{partition}/{barrier.seq}", barrier.seq)
    more = {"ce_nexttopic": barrier.next_topic, "ce_nextpartitions": str(len(barrier.offsets))}
    if barrier.rewound:
        more |= {"ce_rewoundto": str(barrier.histories[-1].kept_seq), "ce_nexthistory": barrier.histories[-1].nonce}
    return [*headers, *((name, value.encode()) for name, value in more.items())]


def _control_headers(topic: str, source: str, kind: str, step: str, seq: int) -> list[tuple[str, bytes]]:
    headers = {
        "ce_specversion": "1.0",
        "ce_type": kind,
        "ce_source": source,
        "content-type": "application/json",
        "ce_id": str(uuid5(NAMESPACE_URL, f"{topic}/{step}")),
        "ce_time": rfc3339(datetime.now(UTC)),
        "ce_subject": topic,
        "ce_sequence": str(seq),
    }
    return [(name, value.encode()) for name, value in headers.items()]
