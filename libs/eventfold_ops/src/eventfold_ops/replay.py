"""`replay TOPIC`: send the whole history of a topic again, to its next generation, and let all readers cross over.

The next generation is filled from the store while the relay goes on. Then the relay's term is ended. The next leader
fills the new generation up to the last event, makes it current, and closes the old one. Every step is recorded: if the
command is killed at any point, it can be run again, and the relay does its own part in its next term.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence

from eventfold import Connection
from eventfold.errors import EventfoldError
from eventfold.publish import generations, lease
from eventfold.publish.generations import Generation
from eventfold.publish.history import last_seq
from eventfold_ops.deployment import Deployment
from eventfold_ops.filling import filled
from eventfold_ops.output import say_either

SWITCHED_WITHIN_S = 30.0
LOOK_EVERY_S = 0.1
NEARLY_FILLED_EVENTS = 500
"""At most this many events may be left for the relay, which sequences nothing new while it sends them."""
FILLS_WITHOUT_GAIN = 200
"""How often a fill may fail to reduce the number of events left, because as many were recorded meanwhile."""


class CannotReplay(EventfoldError):
    """The requested replay makes no sense for this topic in its present state."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"topic {topic}: {reason}")
        self.topic = topic


class NotSwitched(EventfoldError):
    """The new generation is filled, but no relay has switched to it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is filled, and no relay took it over within {SWITCHED_WITHIN_S:.0f} s; the next that leads will: "
            "see that one runs"
        )
        self.name = name


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command `replay`."""
    parser = commands.add_parser("replay", help="send the whole history of a topic to its next generation")
    parser.set_defaults(run=run)
    parser.add_argument("topic", help="without prefix, as in the service's definition")
    parser.add_argument("--partitions", type=int, help="of the new generation; as many as before if left out")
    parser.add_argument("--lost", action="store_true", help="the present generation is gone or damaged: do not read it")


async def run(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """0 once the relay writes to the new generation. Raises `CannotReplay`, `NotSwitched`, and Kafka's errors."""
    if arguments.topic not in deployment.topics:
        raise CannotReplay(arguments.topic, f"{deployment.name} does not emit it, only {', '.join(deployment.topics)}")
    topic = deployment.topic_prefix + arguments.topic
    async with await deployment.connect() as conn:
        one = await _begun(deployment, conn, topic, arguments.partitions, arguments.lost)
        if one.state != "current":
            await _fill(deployment, conn, one)
            await generations.mark_filled(conn, one)
            await lease.depose(conn, deployment.relay_name)
        await _switched(conn, one)
    document = {"topic": topic, "generation": one.name, "partitions": one.partitions}
    say_either(arguments.json, document, f"{topic} is written to {one.name} with {one.partitions} partitions")
    return 0


async def _begun(
    deployment: Deployment, conn: Connection, topic: str, partitions: int | None, lost: bool
) -> Generation:
    """The generation to fill, with its topic on Kafka; the current one if there is nothing to fill."""
    known = await generations.load(conn, topic)
    before = await _partitions_now(deployment, conn, topic, known)
    filling = next((one for one in known if one.state in ("filling", "filled")), None)
    wanted = partitions or (filling.partitions if filling else before)
    _check(topic, before, wanted, lost, filling)
    current = next((one for one in known if one.state == "current"), None)
    if filling is None and current and not lost and _is_done(known, partitions == before):
        return current
    one = await generations.begin(conn, topic, before, wanted, predecessor_lost=lost)
    if one.cursor and one.name not in await deployment.existing_topics():
        one = await generations.fill_anew(conn, one)
    await deployment.prepare_topic(one.name, one.partitions)
    return one


def _is_done(known: Sequence[Generation], as_many_as_asked: bool) -> bool:
    """Whether an earlier run of the same command got as far as the switch."""
    return as_many_as_asked or any(one.state == "closing" for one in known)


def _check(topic: str, before: int, wanted: int, lost: bool, filling: Generation | None) -> None:
    if filling and filling.partitions != wanted:
        raise CannotReplay(topic, f"a replay to {filling.partitions} partitions was begun; finish that one first")
    if wanted < before:
        raise CannotReplay(topic, f"it has {before} partitions, and topics only grow")
    if lost and wanted != before and not filling:
        raise CannotReplay(topic, f"lost with {before} partitions, it is made anew with as many; grow it afterwards")


async def _partitions_now(deployment: Deployment, conn: Connection, topic: str, known: Sequence[Generation]) -> int:
    """The recorded number of partitions. For a topic that was never replayed, looks at the relay's heads, then at
    Kafka."""
    recorded = next((one.partitions for one in known if one.state == "current"), 0)
    row = await (await conn.execute("SELECT count(*) FROM relay_head WHERE topic = %s", [topic])).fetchone()
    found = recorded or (row and row[0]) or (await deployment.existing_topics()).get(topic, 0)
    if not found:
        raise CannotReplay(topic, "it is not on Kafka and was never written; run the service's `prepare`")
    return int(found)


async def _fill(deployment: Deployment, conn: Connection, one: Generation) -> None:
    """Fill until few enough events are left for the relay to send in a moment."""
    least_left, without_gain = await _left(conn, one), 0

    async def enough(now: Generation) -> bool:
        nonlocal least_left, without_gain
        left = await _left(conn, now)
        least_left, without_gain = min(left, least_left), without_gain + 1 if left >= least_left else 0
        if without_gain > FILLS_WITHOUT_GAIN:
            raise CannotReplay(one.topic, "events are recorded faster than sent; run it again at a quieter time")
        return left <= NEARLY_FILLED_EVENTS

    await filled(deployment, conn, one, enough)


async def _left(conn: Connection, one: Generation) -> int:
    return await last_seq(conn) - one.cursor


async def _switched(conn: Connection, one: Generation) -> None:
    """Wait until the relay has switched and closed the old generation."""
    give_up_at = time.monotonic() + SWITCHED_WITHIN_S
    while True:
        states = {known.generation: known.state for known in await generations.load(conn, one.topic)}
        if states[one.generation] == "current" and "closing" not in states.values():
            return
        if time.monotonic() > give_up_at:
            raise NotSwitched(one.name)
        await asyncio.sleep(LOOK_EVERY_S)
