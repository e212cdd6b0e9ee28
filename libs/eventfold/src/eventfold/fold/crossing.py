"""How a handler goes over from one generation of a topic to the next, with nothing lost, doubled or out of order.

A closing record ends its partition: what comes after it there is dropped, for it is on the next generation too. When
all partitions of the old generation are closed for a handler, it gets its positions on the new one, just after the
barrier, in the same transaction. So nothing of the new generation is applied before all of the old one. Where the old
one was rewound, what the handler has applied may never have happened: see `eventfold.fold.regaining`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter

from eventfold.errors import TopicLost, TopicMisconfigured
from eventfold.fold.readmodel import ConsumedRecord, PublicRecord
from eventfold.postgres import locks
from eventfold.postgres.sessions import Connection
from eventfold.publish.generations import CLOSED_TYPE, Barrier, logical, number
from eventfold.publish.history import of_seq

_CLOSE = "UPDATE fold_position SET closed = true WHERE projection = %s AND topic = %s AND partition = %s AND NOT closed"
_CLOSED = "SELECT count(*) FROM fold_position WHERE projection = %s AND topic = %s AND closed"
_GO_ON = """INSERT INTO fold_position (projection, topic, partition, next_offset, seq, occurred_at, history, applied_at)
SELECT %s, %s, n - 1, next_offset, %s, %s, %s, clock_timestamp()
FROM unnest(%s::bigint[]) WITH ORDINALITY AS o(next_offset, n)
ON CONFLICT DO NOTHING"""
_REMEMBER = "INSERT INTO topic_read (topic, partitions) VALUES (%s, %s) ON CONFLICT DO NOTHING"

Names = Mapping[tuple[str, str], str]
"""The topic on Kafka that each handler reads for each of its topics: (handler, topic with prefix) -> name."""

_KEY = attrgetter("key")


def closes(record: ConsumedRecord) -> bool:
    """Whether the record ends its partition. It alone has no key, and a type of its own."""
    return record.key is None and ("ce_type", CLOSED_TYPE.encode()) in record.headers


def up_to_closing(records: Sequence[ConsumedRecord]) -> Sequence[ConsumedRecord]:
    """A fetched run up to and with its closing record, if it has one; what a late sender wrote after it is dropped."""
    if all(map(_KEY, records)):
        return records
    end = next((index for index, record in enumerate(records) if closes(record)), len(records))
    return records[: end + 1]


def is_closing(record: PublicRecord) -> bool:
    """`closes`, of a decoded record."""
    return record.type == CLOSED_TYPE


async def close(conn: Connection, handler: str, closing: PublicRecord) -> bool:
    """Mark the partition closed for a handler that has applied everything before `closing`.

    Returns whether all are, so that the handler has positions on the next generation or, where this one was rewound,
    is to get them by `regaining.over`; also when that was so before, for who closed the last one may not have been told
    that it did. Handlers that fold partitions side by side take turns here: else each would see all but the other's
    partition closed.
    """
    turn = f"{handler}|closing|{closing.topic}"
    await conn.execute(f"SELECT pg_advisory_xact_lock({locks.key('fold', '%s')})", [turn])
    await conn.execute(_CLOSE, [handler, closing.topic, closing.partition])
    barrier = Barrier.of(closing.data)
    row = await (await conn.execute(_CLOSED, [handler, closing.topic])).fetchone()
    if row is None or row[0] < barrier.partitions_before:
        return False
    if not barrier.rewound:
        nonce = of_seq(barrier.histories, barrier.seq).nonce if barrier.histories else None
        place = [handler, barrier.next_topic, barrier.seq, closing.occurred_at, nonce, list(barrier.offsets)]
        await conn.execute(_GO_ON, place)
    return True


async def names(conn: Connection, wanted: Collection[tuple[str, str]], existing: Mapping[str, int]) -> Names:
    """Which generations to read, by the stored positions and the topics that exist; see `chosen`."""
    cursor = await conn.execute("SELECT DISTINCT projection, topic FROM fold_position")
    return chosen(wanted, {(handler, topic) for handler, topic in await cursor.fetchall()}, existing)


async def reached(conn: Connection, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The newest generation on which each handler has positions, of each of its topics where it has some."""
    cursor = await conn.execute("SELECT DISTINCT projection, topic FROM fold_position")
    stored = sorted(await cursor.fetchall(), key=lambda row: number(row[1]))
    found = {(handler, logical(name)): name for handler, name in stored}
    return {one: found[one] for one in wanted if one in found}


def chosen(
    wanted: Collection[tuple[str, str]], stored: Collection[tuple[str, str]], existing: Collection[str]
) -> Names:
    """The newest generation on which a handler has positions; for a new handler the oldest that exists.

    Raises `TopicLost` when a handler's generation is not on Kafka.
    """
    found: dict[tuple[str, str], str] = {}
    for handler, topic in wanted:
        reached = [name for one, name in stored if one == handler and logical(name) == topic]
        if reached and (newest := max(reached, key=number)) not in existing:
            raise TopicLost(newest, handler)
        found[handler, topic] = max(reached, key=number) if reached else first(topic, existing)
    return found


def first(topic: str, existing: Collection[str]) -> str:
    """The oldest generation that exists."""
    return min((name for name in existing if logical(name) == topic), key=number, default=topic)


async def remember_partitions(conn: Connection, partitions: Mapping[str, int]) -> None:
    """Note for good how many each topic (by its name on Kafka) has when a handler first comes to it."""
    await conn.cursor().executemany(_REMEMBER, sorted(partitions.items()))


async def check_partitions(conn: Connection, names: Collection[str], existing: Mapping[str, int]) -> None:
    """Remember how many partitions each topic has when it is first read; raise `TopicMisconfigured` when it has fewer.

    More are none that a relay writes: it keeps to those on its record, until a replay has moved the topic.
    """
    await remember_partitions(conn, {name: existing[name] for name in names if name in existing})
    cursor = await conn.execute("SELECT topic, partitions FROM topic_read")
    for name, partitions in await cursor.fetchall():
        if existing.get(name, partitions) < partitions and name in names:
            raise TopicMisconfigured(
                name, f"has {existing[name]} partitions, {partitions} when first read: make it anew with these"
            )
