"""How a handler crosses from one generation of a topic to the next, with no record lost, applied twice or out of order.

A closing record ends its partition. Records after it are dropped, because the next generation holds them too. When a
handler has closed all partitions of the old generation, the same transaction gives it positions on the new one, just
after the barrier. So the handler applies all of the old generation before any record of the new one. If the old
generation was rewound, the handler may have applied events that never happened: see `eventfold.fold.regaining`.

A handler that has positions on a newer generation has left the older ones for good, also those where no position of it
is stored (any more): a rebuild stores only where it went. A worker that has not learnt it yet applies nothing there.
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
    """Whether the record closes its partition. A closing record has no key, and has a type of its own."""
    return record.key is None and ("ce_type", CLOSED_TYPE.encode()) in record.headers


def up_to_closing(records: Sequence[ConsumedRecord]) -> Sequence[ConsumedRecord]:
    """The fetched run up to and including its closing record, if it has one. Records that a late sender wrote after it
    are dropped."""
    if all(map(_KEY, records)):
        return records
    end = next((index for index, record in enumerate(records) if closes(record)), len(records))
    return records[: end + 1]


async def close(conn: Connection, handler: str, closing: PublicRecord) -> bool:
    """Mark the partition closed for a handler that has applied everything before `closing`.

    Returns whether all partitions are closed. Then the handler has positions on the next generation; if this generation
    was rewound, `regaining.over` has to give them. Also returns True if the handler had left the generation before this
    call, because the worker that closed the last partition may not have learnt the result. Handlers that fold
    partitions in parallel take turns here: otherwise each of them would see the other's partition still open.
    """
    turn = f"{handler}|closing|{closing.topic}"
    await conn.execute(f"SELECT pg_advisory_xact_lock({locks.key('fold', '%s')})", [turn])
    await conn.execute(_CLOSE, [handler, closing.topic, closing.partition])
    barrier = Barrier.of(closing.data)
    row = await (await conn.execute(_CLOSED, [handler, closing.topic])).fetchone()
    if row is None or row[0] < barrier.partitions_before:
        return bool(await left(conn, [(handler, closing.topic)]))
    if not barrier.rewound:
        nonce = of_seq(barrier.histories, barrier.seq).nonce if barrier.histories else None
        place = [handler, barrier.next_topic, barrier.seq, closing.occurred_at, nonce, list(barrier.offsets)]
        await conn.execute(_GO_ON, place)
    return True


async def left(conn: Connection, readers: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Of these handlers, each with a topic on Kafka, those that have positions on a newer generation of it."""
    newest = await reached(conn, {(handler, logical(name)) for handler, name in readers})
    return {one for one in readers if number(newest.get((one[0], logical(one[1])), one[1])) > number(one[1])}


async def names(conn: Connection, wanted: Collection[tuple[str, str]], existing: Mapping[str, int]) -> Names:
    """The generations to read, chosen by the stored positions and the existing topics; see `chosen`."""
    cursor = await conn.execute("SELECT DISTINCT projection, topic FROM fold_position")
    return chosen(wanted, {(handler, topic) for handler, topic in await cursor.fetchall()}, existing)


async def reached(conn: Connection, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The newest generation on which each handler has positions, for each of its topics. Topics without positions are
    left out."""
    cursor = await conn.execute("SELECT DISTINCT projection, topic FROM fold_position")
    stored = sorted(await cursor.fetchall(), key=lambda row: number(row[1]))
    found = {(handler, logical(name)): name for handler, name in stored}
    return {one: found[one] for one in wanted if one in found}


def chosen(
    wanted: Collection[tuple[str, str]], stored: Collection[tuple[str, str]], existing: Collection[str]
) -> Names:
    """The newest generation on which each handler has positions; for a new handler, the oldest that exists.

    Raises `TopicLost` if a handler's generation is not on Kafka.
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
    """Record the number of partitions of each topic (by its name on Kafka) when a handler first reads it. The record is
    never changed."""
    await conn.cursor().executemany(_REMEMBER, sorted(partitions.items()))


async def check_partitions(conn: Connection, names: Collection[str], existing: Mapping[str, int]) -> None:
    """Record how many partitions each topic has when it is first read. Raises `TopicMisconfigured` if it has fewer
    later.

    Additional partitions are harmless: until a replay moves the topic, a relay writes only to the recorded number.
    """
    await remember_partitions(conn, {name: existing[name] for name in names if name in existing})
    cursor = await conn.execute("SELECT topic, partitions FROM topic_read")
    for name, partitions in await cursor.fetchall():
        if existing.get(name, partitions) < partitions and name in names:
            raise TopicMisconfigured(
                name, f"has {existing[name]} partitions, {partitions} when first read: make it anew with these"
            )
