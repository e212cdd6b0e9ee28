"""Consistency tokens: with one, a reader can tell that the events of a command have been applied.

The sequence number is assigned after the commit, so a token names the insert position. As soon as the relay has
sequenced the event, the service that owns the store resolves the token to `(topic, partition, seq)`. A fold has applied
the event when its stored position on that partition has reached `seq`. A token may also cover everything recorded up to
its position (`covers_all`). Then it resolves to the heads of all partitions, once the relay's cursor has passed it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eventfold.errors import InvalidInput
from eventfold.postgres.sessions import Connection
from eventfold.publish.generations import logical
from eventfold.publish.outgoing import Target
from eventfold.publish.publisher import Publisher, partition_of
from eventfold.write.store import EventStore

MAX_POSITION = 2**63 - 1
"""With a greater number PostgreSQL would compare every event instead of using the index."""

# A commit may come late, with a lower position and a higher number than the token's event. Such events count too.
_COVERED = """SELECT max(first_seq + least(length, %(position)s + 1 - first_position) - 1) FROM sequence_run
WHERE first_seq + length > %(seq)s AND first_seq >= (SELECT max(first_seq) FROM sequence_run WHERE first_seq <= %(seq)s)
  AND first_position <= %(position)s AND NOT EXISTS (SELECT 1 FROM unsequenced WHERE position <= %(position)s)"""


@dataclass(frozen=True, slots=True)
class Token:
    """Position `position` in the store of `service`; with `covers_all`, everything up to it. `history` is the mark of
    the store's history at that time (see `eventfold.publish.history`); empty if it was not known. A token that only
    its own service can read has its text alone, and the position 0."""

    service: str
    position: int
    covers_all: bool = False
    history: str = ""
    text: str = field(default="", compare=False)

    def encode(self) -> str:
        """Opaque text for answers and headers."""
        text = f"{self.service}:{self.position}:{'all' if self.covers_all else 'one'}:{self.history}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @staticmethod
    def decode(text: str) -> Token:
        """Inverse of `encode`. Raises `InvalidInput` for anything else."""
        try:
            padded = text + "=" * (-len(text) % 4)
            text = base64.urlsafe_b64decode(padded.encode("ascii")).decode("ascii")
            service, position, kind, *history = text.split(":")
            if len(history) > 1:
                raise ValueError(text)
            token = Token(service, int(position), kind == "all", *history)
            if kind not in ("one", "all") or not 0 < token.position <= MAX_POSITION:
                raise ValueError(text)
            return token
        except (ValueError, binascii.Error) as failure:
            raise InvalidInput("not a consistency token", field="x-lyceum-after") from failure


async def resolve(
    conn: Connection, store: EventStore, publisher: Publisher, relay: str, token: Token
) -> tuple[Target, ...] | None:
    """The targets of the token's events on Kafka; None until they are sequenced (or sent, for `covers_all`)."""
    recorded = await store.at(conn, token.position)
    if recorded is None:
        raise InvalidInput("the consistency token names nothing that this service recorded", field="x-lyceum-after")
    if recorded.seq is None:
        return None
    if token.covers_all:
        return await _heads(conn, relay, token.position, recorded.seq)
    topic = publisher.topic(recorded)
    if topic is None:
        return ()
    heads = await _current(conn, topic)
    if heads is None:
        return None
    name, count = heads
    return (Target(name, partition_of(recorded.partition_key.encode(), count), recorded.seq),)


async def _heads(conn: Connection, relay: str, position: int, seq: int) -> tuple[Target, ...] | None:
    cursor = await conn.execute(
        f"SELECT 1 FROM lease WHERE name = %(relay)s AND cursor >= ({_COVERED})",
        {"relay": relay, "position": position, "seq": seq},
    )
    if await cursor.fetchone() is None:
        return None
    cursor = await conn.execute("SELECT topic, partition, seq FROM relay_head WHERE seq > 0")
    return tuple(Target(*row) for row in await cursor.fetchall())


async def _current(conn: Connection, topic: str) -> tuple[str, int] | None:
    """The generation of a topic that the relay writes: its name on Kafka and its number of partitions."""
    cursor = await conn.execute("SELECT topic, count(*) FROM relay_head GROUP BY topic")
    return next(((name, int(count)) for name, count in await cursor.fetchall() if logical(name) == topic), None)


Applied = Mapping[tuple[str, str, int], int]
"""The highest `seq` that each projection has applied, by projection, topic and partition."""


async def applied(conn: Connection) -> Applied:
    """How far all projections have come, read by one query."""
    cursor = await conn.execute("SELECT projection, topic, partition, seq FROM fold_position")
    return {(projection, topic, partition): seq for projection, topic, partition, seq in await cursor.fetchall()}


def reached(applied: Applied, projections: Mapping[str, Sequence[str]], targets: Sequence[Target]) -> bool:
    """Whether every projection that reads a target's topic has applied it. `projections` maps names to topics.

    Positions on another generation of the topic do not count: a projection that has yet to cross over is behind.
    """
    return all(
        applied.get((name, target.topic, target.partition), -1) >= target.seq
        for name, topics in projections.items()
        for target in targets
        if logical(target.topic) in topics
    )
