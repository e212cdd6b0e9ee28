"""How a handler finds its place again on a topic that has changed.

A log may have lost its end and received it again at other offsets. A topic may have been created anew. A store may have
been restored, so that its topics hold another history. A handler knows by number (`seq`) and history which events it
has applied. Those that still hold are not applied again: the handler reads from the beginning and drops them. If a
handler has applied events that never happened, a projection folds everything anew, while a process goes on, because its
commands cannot be undone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from psycopg import sql

from eventfold.errors import TopicMisconfigured
from eventfold.fold.crossing import remember_partitions
from eventfold.fold.positions import Position, take_turns
from eventfold.fold.readmodel import Handler, Projection, turn
from eventfold.postgres.sessions import Connection
from eventfold.publish.generations import logical, number
from eventfold.publish.history import Histories, kept_seq, of_seq
from eventfold.publish.witness import Seen

log = logging.getLogger(__name__)

_OF_HANDLER = "SELECT topic, partition, seq, history FROM fold_position WHERE projection = %s"
_CARRY = """INSERT INTO fold_position (projection, topic, partition, next_offset, seq, history, applied_at)
VALUES (%s, %s, %s, 0, %s, %s, clock_timestamp())
ON CONFLICT (projection, topic, partition) DO UPDATE
SET next_offset = 0, seq = EXCLUDED.seq, history = EXCLUDED.history, closed = false"""
_LEAVE = "UPDATE fold_position SET closed = true WHERE projection = %s AND topic = %s"
_FORGET = "DELETE FROM fold_position WHERE projection = %s"
_DISCARD = "DELETE FROM dead_letter WHERE projection = %s"


def fits(position: Position, before: Seen | None, following: Seen | None) -> bool:
    """Whether the record before a handler's position is still the one that the handler applied, and the following
    record goes on from there."""
    if following and following.seq > position.seq and following.previous > position.seq:
        return False
    if position.next_offset == 0:
        return True
    if before is None or before.seq > position.seq:
        return False
    same = position.history is None or before.history in (None, position.history)
    return same or before.seq < position.seq


def holds(position: Position, histories: Histories) -> bool:
    """Whether all events applied up to the position happened in these histories."""
    kept = kept_seq(histories, position.history) if histories else None
    return kept is None or position.seq <= kept


async def over(conn: Connection, handler: Handler, old: str, new: str, partitions: int, histories: Histories) -> None:
    """Let a handler that stands on `old` read `new` from its beginning, in the caller's transaction. Does nothing if
    the handler is on `new` already.

    Raises `TopicMisconfigured` for a process if `new` and `old` have different numbers of partitions: the positions of
    the process on `old` say nothing about `new`.
    """
    await take_turns(conn, {turn(handler, old, partition) for partition in range(partitions)})
    standing = await _standing(conn, handler.name, old)
    if not standing or (old != new and await _standing(conn, handler.name, new)):
        return
    as_many = await _partitions(conn, old, len(standing)) == partitions
    await remember_partitions(conn, {new: partitions})
    if as_many and all(holds(one, histories) for one in standing.values()):
        await _carry(conn, handler.name, old, new, standing, histories)
    elif isinstance(handler, Projection):
        await anew(conn, handler, {logical(new): new})
    elif as_many:
        log.error(
            "process %s has reacted to events of %s that never happened: see docs/runbooks/rewound-history.md",
            handler.name,
            old,
        )
        await _carry(conn, handler.name, old, new, standing, histories)
    else:
        raise TopicMisconfigured(new, f"has {partitions} partitions, {old} had {len(standing)}: {handler.name} is lost")


async def _standing(conn: Connection, handler: str, topic: str) -> dict[int, Position]:
    rows = await (await conn.execute(_OF_HANDLER, [handler])).fetchall()
    return {partition: Position(0, seq, history=nonce) for name, partition, seq, nonce in rows if name == topic}


async def _carry(
    conn: Connection, handler: str, old: str, new: str, standing: Mapping[int, Position], histories: Histories
) -> None:
    for partition, one in standing.items():
        kept = kept_seq(histories, one.history) if histories else None
        seq = one.seq if kept is None else min(kept, one.seq)
        nonce = of_seq(histories, seq).nonce if histories else one.history
        await conn.execute(_CARRY, [handler, new, partition, seq, nonce])
    if old != new:
        await conn.execute(_LEAVE, [handler, old])


async def anew(conn: Connection, projection: Projection, topics: Mapping[str, str]) -> None:
    """Empty a projection, so that it is folded from the beginning of every topic. `topics` gives the generation to read
    of these topics; of the others, the newest that the projection has read is used. In the caller's transaction, which
    holds its turns."""
    log.error("projection %s is folded anew: it held what never happened", projection.name)
    await take_turns(conn, {projection.name})
    rows = await (await conn.execute(_OF_HANDLER, [projection.name])).fetchall()
    reading = _newest([topic for topic, *_ in rows]) | dict(topics)
    counts = {topic: 1 + max((p for name, p, *_ in rows if name == topic), default=0) for topic in reading.values()}
    for table in projection.tables:
        await conn.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table.name)))
    await conn.execute(_DISCARD, [projection.name])
    await conn.execute(_FORGET, [projection.name])
    for topic, count in counts.items():
        for partition in range(count):
            await conn.execute(_CARRY, [projection.name, topic, partition, 0, None])


def _newest(names: Sequence[str]) -> dict[str, str]:
    return {logical(name): name for name in sorted(names, key=number)}


async def _partitions(conn: Connection, topic: str, at_least: int) -> int:
    """The number of partitions that the topic had when it was first read."""
    row = await (await conn.execute("SELECT partitions FROM topic_read WHERE topic = %s", [topic])).fetchone()
    return int(row[0]) if row else at_least
