"""`recover`: after a restore to an earlier point, make the store, as it is now, the truth of its topics.

The topics are the witness: they show up to which number store and topics agree. From there a new history begins, with
numbers above all that were ever given. Each topic of the service gets a new generation that holds the events of the
store. Readers cross over by themselves, and fold anew if they had applied events that never happened. Every step is
recorded: if the command is killed at any point, it can be run again.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eventfold import Connection
from eventfold.errors import EventfoldError
from eventfold.publish import generations, history, lease, standing, witness
from eventfold.publish.generations import Generation, logical, number
from eventfold.publish.history import NUMBERS_LEFT_OUT, Histories, History
from eventfold.publish.witness import Seen, Tail
from eventfold.vocabulary.public import TopicPartition
from eventfold_ops.deployment import Deployment
from eventfold_ops.filling import filled
from eventfold_ops.output import say_either

SWITCHED_WITHIN_S = 60.0
LOOK_EVERY_S = 0.1
LOOK_BACK_RECORDS = 500

_NUMBERED_ABOVE = """SELECT first_seq, first_position, length FROM sequence_run WHERE first_seq + length - 1 > %s"""
_QUEUE = "INSERT INTO unsequenced SELECT generate_series(%s::bigint, %s::bigint) ON CONFLICT DO NOTHING"
_KEPT_POSITION = "SELECT coalesce(max(first_position + length - 1), 0) FROM sequence_run"
_HEADS = "SELECT topic, count(*) FROM relay_head GROUP BY topic"


class NotTakenOver(EventfoldError):
    """Everything is prepared, but no relay has gone on."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}: the new history is recorded and filled, and no relay took it over within "
            f"{SWITCHED_WITHIN_S:.0f} s; the next that leads will: see that one runs"
        )
        self.name = name


class NothingToRecover(EventfoldError):
    """Store and topics agree."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}: the topics hold nothing that the store does not; if it was restored together with them, say "
            "--restored"
        )
        self.name = name


@dataclass(frozen=True, slots=True)
class Recovered:
    """The result: the history that began, what it keeps, and where each topic goes on."""

    history: str
    kept_seq: int
    first_seq: int
    topics: Mapping[str, str]

    @property
    def lines(self) -> str:
        """The result as text."""
        said = [f"{topic} goes on at {name}" for topic, name in self.topics.items()]
        first = f"history {self.history} keeps events up to {self.kept_seq} and numbers on from {self.first_seq}"
        return "\n".join([first, *said, "readers cross over by themselves; see docs/runbooks/rewound-history.md"])


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command `recover`."""
    parser = commands.add_parser("recover", help="make a restored store the truth of its topics")
    parser.set_defaults(run=run)
    parser.add_argument("--restored", action="store_true", help="it was restored, also where no topic tells of it")


async def run(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """0 once the relay writes in the new history. Raises `NothingToRecover`, `NotTakenOver`, and Kafka's errors."""
    async with await deployment.connect() as conn:
        made = await _unfinished(conn) or await _begun(deployment, conn, restored=arguments.restored)
        for one in made:
            await _fill(deployment, conn, one)
        await _taken_over(deployment, conn, made)
        now = (await history.load(conn))[-1]
    done = Recovered(now.nonce, now.kept_seq, now.first_seq, {one.topic: one.name for one in made})
    document = {"history": done.history, "kept_seq": done.kept_seq, "first_seq": done.first_seq, "topics": done.topics}
    say_either(arguments.json, document, done.lines)
    return 0


async def _unfinished(conn: Connection) -> list[Generation]:
    """The generations that an earlier run has begun. They are finished, and no further history is begun."""
    return [one for one in await generations.load(conn) if one.rewound and one.state in ("filling", "filled")]


async def _begun(deployment: Deployment, conn: Connection, *, restored: bool) -> list[Generation]:
    """Record the new history and the generations to fill."""
    topics = [deployment.topic_prefix + topic for topic in deployment.topics]
    existing = await deployment.existing_topics()
    found = await _tails(deployment, topics, existing)
    current = await generations.current_names(conn, topics)
    kept = await _agreed(deployment, conn, {place: one for place, one in found.items() if place[0] in current.values()})
    last = await history.last_seq(conn)
    if kept == last and not restored and max(_seqs(found), default=0) <= last:
        raise NothingToRecover(deployment.name)
    partitions = {topic: await _partitions(conn, deployment, current[topic], existing) for topic in topics}
    async with conn.transaction():
        await lease.depose(conn, deployment.relay_name)
        await _begin_history(conn, kept, max([last, *_seqs(found)]) + NUMBERS_LEFT_OUT)
        await conn.execute("UPDATE lease SET cursor = least(cursor, %s) WHERE name = %s", [kept, deployment.relay_name])
        return [
            await generations.begin_instead(conn, topic, partitions[topic], await _next_number(conn, topic, existing))
            for topic in topics
        ]


def _seqs(found: Mapping[TopicPartition, Tail]) -> list[int]:
    return [tail.last.seq for tail in found.values() if tail.last]


async def _tails(
    deployment: Deployment, topics: Sequence[str], existing: Mapping[str, int]
) -> Mapping[TopicPartition, Tail]:
    """The tails of every generation that exists."""
    names = [name for name in existing if logical(name) in topics]
    return await witness.tails_of(deployment.brokers)([(n, p) for n in names for p in range(existing[n])])


async def _partitions(conn: Connection, deployment: Deployment, name: str, existing: Mapping[str, int]) -> int:
    """The partitions on record in the store, else the existing number on Kafka, else the configured one."""
    recorded = dict(await (await conn.execute(_HEADS)).fetchall())
    return int(recorded.get(name) or existing.get(name) or deployment.topic_partitions)


async def _next_number(conn: Connection, topic: str, existing: Mapping[str, int]) -> int:
    """A number above every generation that the store or Kafka knows: a restored store may have forgotten some."""
    stored = [one.generation for one in await generations.load(conn, topic)]
    return 1 + max([1, *stored, *(number(name) for name in existing if logical(name) == topic)])


async def _agreed(deployment: Deployment, conn: Connection, found: Mapping[TopicPartition, Tail]) -> int:
    """The highest number up to which the store has every event on its topics. Reads the topics backwards from their
    ends."""
    known, last = await history.load(conn), await history.last_seq(conn)
    kept = last
    for place, tail in found.items():
        end = tail.end
        while end > tail.begin:
            start = max(tail.begin, end - LOOK_BACK_RECORDS)
            records = await witness.between(deployment.brokers, place, start, end)
            foreign = await _foreign(conn, known, [one for one in records if one.seq])
            kept = min([kept, *(one.seq - 1 for one in foreign)])
            if len(foreign) < len([one for one in records if one.seq]):
                break
            end = start
    return kept


async def _foreign(conn: Connection, known: Histories, records: Sequence[Seen]) -> list[Seen]:
    ids = await standing.ids_of(conn, known, [one.seq for one in records])
    return [one for one in records if not standing.agrees(one, ids, known)]


async def _begin_history(conn: Connection, kept: int, above: int) -> History:
    """Begin a history. Events with a number above the last kept one will get another number in it."""
    await conn.execute("LOCK TABLE unsequenced, sequence_run IN SHARE ROW EXCLUSIVE MODE")
    for first_seq, first_position, length in await (await conn.execute(_NUMBERED_ABOVE, [kept])).fetchall():
        staying = max(0, kept + 1 - first_seq)
        await conn.execute(_QUEUE, [first_position + staying, first_position + length - 1])
        if staying:
            await conn.execute("UPDATE sequence_run SET length = %s WHERE first_seq = %s", [staying, first_seq])
        else:
            await conn.execute("DELETE FROM sequence_run WHERE first_seq = %s", [first_seq])
    row = await (await conn.execute(_KEPT_POSITION)).fetchone()
    return await history.begin(conn, await history.load(conn), above + 1, kept, int(row[0]) if row else 0)


async def _fill(deployment: Deployment, conn: Connection, one: Generation) -> None:
    if one.cursor and one.name not in await deployment.existing_topics():
        one = await generations.fill_anew(conn, one)
    await deployment.prepare_topic(one.name, one.partitions)

    async def never(_: Generation) -> bool:
        return False

    await filled(deployment, conn, one, never)


async def _taken_over(deployment: Deployment, conn: Connection, made: Sequence[Generation]) -> None:
    """Let the next term switch all of them at once, and wait until it has."""
    async with conn.transaction():
        for one in made:
            await generations.mark_filled(conn, one)
        await lease.depose(conn, deployment.relay_name)
    give_up_at = time.monotonic() + SWITCHED_WITHIN_S
    wanted = {one.name for one in made}
    while True:
        states = {one.name: one.state for one in await generations.load(conn)}
        if all(states[name] == "current" for name in wanted) and "closing" not in states.values():
            return
        if time.monotonic() > give_up_at:
            raise NotTakenOver(deployment.name)
        await asyncio.sleep(LOOK_EVERY_S)
