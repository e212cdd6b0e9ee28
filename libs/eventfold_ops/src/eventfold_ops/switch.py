"""`switch TOPIC`: after a topic was lost, let this service's handlers read the generation that replaced it.

The lost generation cannot be read any more, so nobody will meet its closing records. Its successor holds the whole
history: each handler reads it from the start and drops by `seq` what it has applied, partition by partition. This is
right only if both have the same number of partitions.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from eventfold import Connection, Process, Projection
from eventfold.errors import EventfoldError
from eventfold.fold.crossing import remember_partitions
from eventfold.fold.positions import take_turns
from eventfold.fold.readmodel import turn
from eventfold.publish.generations import logical, number
from eventfold_ops.deployment import Deployment
from eventfold_ops.output import say_either

_AT = "SELECT DISTINCT topic FROM fold_position WHERE projection = %s"
_PARTITIONS = """SELECT coalesce(
  (SELECT partitions FROM topic_read WHERE topic = %s),
  (SELECT count(*) FROM fold_position WHERE projection = %s AND topic = %s))"""
_CARRY = """INSERT INTO fold_position (projection, topic, partition, next_offset, seq, occurred_at, history, applied_at)
SELECT projection, %s, partition, 0, seq, occurred_at, history, clock_timestamp() FROM fold_position
WHERE projection = %s AND topic = %s"""
_LEAVE = "UPDATE fold_position SET closed = true WHERE projection = %s AND topic = %s"


class CannotSwitch(EventfoldError):
    """The handlers' positions would mean nothing on the next generation, or there is no next generation."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"topic {topic}: {reason}")
        self.topic = topic


@dataclass(frozen=True, slots=True)
class Switched:
    """Where a handler reads from now on, and whether it was moved there."""

    handler: str
    reads: str
    moved: bool

    @property
    def line(self) -> str:
        """The result as one line."""
        return f"{self.handler}: {'goes on at' if self.moved else 'nothing to do, it reads'} {self.reads}"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command `switch`."""
    parser = commands.add_parser("switch", help="move this service over to the next generation of a lost topic")
    parser.set_defaults(run=run)
    parser.add_argument("topic", help="without prefix, as in the emitting service's definition")


async def run(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """0 if every handler that reads the topic is on its newest generation. Raises `CannotSwitch`.

    Either all handlers switch or none. Running workers halt at their next rebalance or restart, and then read the new
    one.
    """
    topic = deployment.topic_prefix + arguments.topic
    readers = [one for one in deployment.handlers if arguments.topic in one.topics]
    if not readers:
        raise CannotSwitch(topic, f"nothing of {deployment.name} reads it")
    existing = await deployment.existing_topics()
    async with await deployment.connect() as conn, conn.transaction():
        ordered = sorted(readers, key=lambda one: one.name)
        done = [await _switch(conn, handler, topic, existing) for handler in ordered]
    document = {"topic": topic, "handlers": [asdict(one) for one in done]}
    say_either(arguments.json, document, "\n".join(one.line for one in done))
    return 0


async def _switch(conn: Connection, handler: Projection | Process, topic: str, existing: Mapping[str, int]) -> Switched:
    at = await _at(conn, handler.name, topic)
    after = max((name for name in existing if logical(name) == topic), key=number, default="")
    if not at or at == after:
        return Switched(handler.name, after or topic, False)
    partitions = await _partitions_before(conn, handler.name, at)
    if not after or number(after) < number(at):
        raise CannotSwitch(topic, f"there is no generation after {at}; have its owner run `replay --lost` first")
    if partitions != existing[after]:
        raise CannotSwitch(
            topic,
            f"{at} had {partitions} partitions, {after} has {existing[after]}: what was applied of each "
            f"partition says nothing here; fold {handler.name} anew as docs/runbooks/topic-loss.md says",
        )
    await take_turns(conn, {turn(handler, at, partition) for partition in range(partitions)})
    await remember_partitions(conn, {after: partitions})
    await conn.execute(_CARRY, [after, handler.name, at])
    await conn.execute(_LEAVE, [handler.name, at])
    return Switched(handler.name, after, True)


async def _at(conn: Connection, handler: str, topic: str) -> str | None:
    """The newest generation of the topic on which the handler has positions."""
    names = [name for (name,) in await (await conn.execute(_AT, [handler])).fetchall() if logical(name) == topic]
    return max(names, key=number, default=None)


async def _partitions_before(conn: Connection, handler: str, name: str) -> int:
    """How many partitions the topic had when a worker first read it. A handler that crossed over to a topic which was
    lost before anybody read it has a position on each of its partitions."""
    row = await (await conn.execute(_PARTITIONS, [name, handler, name])).fetchone()
    return int(row[0]) if row else 0
