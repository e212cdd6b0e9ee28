"""What operators do to the topic of shelves: replay it, lose it, move handlers over by hand."""

from __future__ import annotations

from deployed import command
from house import House
from memory_deployment import in_memory
from memory_kafka import Kafka
from shelf import COUNTING, TOPIC
from stepped_relay import SteppedReplay

from eventfold.publish.generations import Generation, current_names, load, number
from eventfold_ops import switch
from eventfold_ops.switch import CannotSwitch

REPLAYS_AT_ONCE, MAX_PARTITIONS, MAX_GENERATIONS, MAX_LOSSES = 2, 4, 6, 2
UNFINISHED = ("filling", "filled")


class Operators:
    """At most `REPLAYS_AT_ONCE` of them replay at a time."""

    def __init__(self, house: House, kafka: Kafka) -> None:
        self._house = house
        self._kafka = kafka
        self._topic = house.prefix + TOPIC
        self._replays: list[SteppedReplay] = []

    def _may_lose(self) -> bool:
        """Whether there were so few losses that something else can still happen."""
        return len(self._kafka.partitions_of) - len(self._kafka.topics) < MAX_LOSSES

    async def replay(self, more_partitions: int, gates: list[int]) -> None:
        """Begin one, or go on with one that was killed: as lost, where the present generation is. Then let it move."""
        name = await self.current()
        partitions = min(MAX_PARTITIONS, self._kafka.partitions_of[name] + more_partitions)
        grown = ["--partitions", str(partitions)] if more_partitions else []
        lost = name not in self._kafka.topics
        if lost or (len(self._replays) < REPLAYS_AT_ONCE and len(await self._generations()) < MAX_GENERATIONS):
            self._replays.append(SteppedReplay(self._house, self._kafka, ["--lost"] if lost else grown))
            await self._replays[-1].start()
            await self.move(-1, gates)

    async def move(self, which: int, gates: list[int]) -> None:
        """One of the replays goes on, where there is one."""
        for one in self._picked(which):
            for gate in gates:
                if not one.ended:
                    await one.step(gate)
        self._forget_ended()

    async def fail_a_send(self, which: int, gate: int) -> None:
        """The command ends; an operator will repeat it."""
        for one in self._picked(which):
            await one.fail_a_send(gate)
        self._forget_ended()

    async def kill(self, which: int) -> None:
        """As a killed process."""
        for one in self._picked(which):
            self._replays.remove(one)
            await one.crash()

    def _picked(self, which: int) -> list[SteppedReplay]:
        return [self._replays[which % len(self._replays)]] if self._replays else []

    async def lose(self, which: int) -> None:
        """A generation that is or was written is deleted on Kafka, be it an accident or to clean up.

        Who sees that ends replays that might make it anew.
        """
        unfinished = {one.name for one in await self._generations() if one.state in UNFINISHED}
        there = sorted(set(self._kafka.topics) - unfinished)
        if there and self._may_lose() and await self._house.rows("SELECT 1 FROM relay_head LIMIT 1"):
            name = there[which % len(there)]
            self._kafka.delete(name)
            if name != self._topic:
                await self.crash()

    async def switch(self) -> None:
        """Refused only where a handler's floors mean nothing on the newest generation, or it is on that one."""
        try:
            await command(switch, in_memory(self._house, self._kafka, self._house.connect), TOPIC)
        except CannotSwitch:
            at = str(
                (
                    await self._house.rows(
                        f"SELECT topic FROM fold_position WHERE projection = '{COUNTING.name}' "
                        "ORDER BY length(topic) DESC, topic DESC LIMIT 1"
                    )
                )[0][0]
            )
            after = max(self._kafka.topics, key=number, default=self._topic)
            grown = self._kafka.partitions_of[at] != self._kafka.partitions_of[after]
            assert grown or after not in self._kafka.topics or number(after) < number(at), (
                f"handlers at {at} could go over to {after}"
            )

    async def finish(self) -> None:
        """Every replay runs to its end, and so does one that was cut off, or that a lost topic asks for."""
        await self._finish_replays()
        if await self.current() not in self._kafka.topics or "filling" in [
            one.state for one in await self._generations()
        ]:
            await self.replay(0, [])
            await self._finish_replays()

    async def _finish_replays(self) -> None:
        for one in self._replays:
            while not one.ended:
                await one.step(0)
        self._forget_ended()

    async def delete_old_generations(self) -> None:
        """What came before the current one: a handler that begins there may be led to a generation that is gone."""
        current = await self.current()
        for name in list(self._kafka.topics):
            if number(name) < number(current):
                self._kafka.delete(name)

    async def crash(self) -> None:
        """All that still run."""
        while self._replays:
            await self.kill(0)

    async def current(self) -> str:
        """The generation that is written, by its name on Kafka."""
        async with self._house.pool.connection() as conn:
            return (await current_names(conn, [self._topic]))[self._topic]

    async def something_was_lost(self) -> bool:
        """Handlers may be left behind then, and only then."""
        gone = set(self._kafka.partitions_of) - set(self._kafka.topics)
        return bool(gone) or any(one.predecessor_lost for one in await self._generations())

    async def _generations(self) -> list[Generation]:
        async with self._house.pool.connection() as conn:
            return await load(conn, self._topic)

    def _forget_ended(self) -> None:
        self._replays = [one for one in self._replays if not one.ended]
