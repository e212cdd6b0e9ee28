"""Relays and replays that move only when told to: they stand still around every transaction and every send.

They are those of the package, unchanged, over real connections; only time is taken from them. So a test decides what
happens between any two of its steps: a crash, a successor, another writer.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine
from typing import Any, ClassVar

import psycopg
from aiokafka.errors import KafkaConnectionError, KafkaError
from deployed import command
from house import House
from memory_deployment import in_memory
from memory_kafka import Gates, Kafka, Session, tails_of
from shelf import CODEC, TOPIC

from eventfold.errors import LeaseLost, TopicMisconfigured
from eventfold.publish.relay import Relay
from eventfold_ops import replay

SETTLING_TURNS = 40
STILL_WITHIN_S = 60.0
EXPECTED = (LeaseLost, KafkaError, psycopg.OperationalError, TopicMisconfigured)
"""What a term of leadership may end with."""
REPLAYS_EXPECTED = (replay.NotSwitched, replay.CannotReplay, KafkaError, psycopg.OperationalError)
"""What a replay may end with."""


class GatedConnection(psycopg.AsyncConnection[Any]):
    """Stands still before each transaction and after its commit, never inside, where it would hold others up.

    Closing it keeps it for the next relay: connecting costs more than all the steps of a term.
    """

    spare: ClassVar[list[GatedConnection]] = []
    gates: Gates
    dead = False

    @classmethod
    async def take(cls, url: str, gates: Gates) -> GatedConnection:
        with gates.working():
            conn = cls.spare.pop() if cls.spare else await cls.connect(url, autocommit=True)
        conn.gates, conn.dead = gates, False
        return conn

    @contextlib.asynccontextmanager
    async def transaction(self, *_: Any) -> AsyncIterator[Any]:
        await self.gates.reach("before transaction")
        with self.gates.working():
            async with super().transaction() as transaction:
                yield transaction
        await self.gates.reach("after commit")

    async def execute(self, *query: Any, **named: Any) -> Any:
        if not str(query[0]).startswith("WITH"):
            return await self._execute(*query, **named)
        # A statement of several parts, outside of a transaction: it is one by itself.
        await self.gates.reach("before transaction")
        done = await self._execute(*query, **named)
        await self.gates.reach("after commit")
        return done

    async def _execute(self, *query: Any, **named: Any) -> Any:
        if self.dead:
            raise psycopg.OperationalError("its process was killed")
        with self.gates.working():
            return await super().execute(*query, **named)

    async def close(self) -> None:
        self.spare.append(self)

    @classmethod
    async def close_spare(cls) -> None:
        while cls.spare:
            await super(GatedConnection, cls.spare.pop()).close()


class _Relay(Relay):
    gates: Gates

    async def wait_for_work(self, idle_s: float, at_least_s: float = 0.0) -> None:
        await self.gates.reach("idle")


class Stepped(ABC):
    """Something that works through gates, with connections that die with it."""

    def __init__(self, house: House) -> None:
        self.gates = Gates()
        self._url = house.url
        self._connections: list[GatedConnection] = []

    @abstractmethod
    def _work(self) -> Coroutine[Any, Any, object]:
        """What it works through, to its end."""

    @abstractmethod
    def _expects(self, failure: BaseException) -> bool:
        """Whether the work may end with this failure."""

    async def _connect(self) -> GatedConnection:
        conn = await GatedConnection.take(self._url, self.gates)
        self._connections.append(conn)
        return conn

    def _own(self) -> list[GatedConnection]:
        """Those that it has not given back."""
        return [conn for conn in self._connections if conn.gates is self.gates]

    async def start(self) -> None:
        """Run to the first gate. A relay has ended at once where another holds the lease."""
        self._term = asyncio.create_task(self._work())
        await self._until_still()

    @property
    def ended(self) -> bool:
        """Whether its work is over and nothing of it is still on the way to the broker."""
        return self._term.done() and not self.gates.waiting

    @property
    def failure(self) -> BaseException | None:
        """What its work ended with. Raises `InvalidStateError` where it has not."""
        return self._term.exception()

    @property
    def idle(self) -> bool:
        return [point for point, _ in self.gates.waiting] == ["idle"]

    async def step(self, index: int) -> None:
        """Pass one of the gates at which it stands."""
        self.gates.release(index)
        await self._until_still()

    async def fail_a_send(self, index: int) -> None:
        """Raise a send error where it waits to send or for an acknowledgement; does nothing elsewhere.

        A relay that sequences meanwhile learns of it when that is done: it may still run after this.
        """
        sends = [n for n, (point, _) in enumerate(self.gates.waiting) if point in ("send", "sent")]
        if not sends or self._term.done():
            return
        self.gates.release(sends[index % len(sends)], KafkaConnectionError("cut off"))
        await self._until_still()

    async def crash(self) -> None:
        """End as a killed process does: nothing is released or rolled back by itself."""
        for conn in self._own():
            conn.dead = True
        self._term.cancel()
        await asyncio.gather(self._term, return_exceptions=True)
        self.gates.waiting.clear()

    async def _until_still(self) -> None:
        """Until all that runs side by side in it stands at a gate: which comes first must not depend on the clock."""
        async with asyncio.timeout(STILL_WITHIN_S):
            still_turns = 0
            while still_turns < SETTLING_TURNS:
                await self.gates.rested.wait()
                await asyncio.sleep(0)
                still_turns = still_turns + 1 if self.gates.rested.is_set() else 0
        assert self.gates.waiting or self._term.done()
        self._judge()

    def _judge(self) -> None:
        ended = self._term.done() and not self._term.cancelled()
        if ended and self.failure is not None and not self._expects(self.failure):
            raise self.failure


class SteppedRelay(Stepped):
    """One attempt to lead."""

    def __init__(self, house: House, kafka: Kafka, holder: str) -> None:
        super().__init__(house)
        producers: Any = lambda: Session(kafka, self.gates)  # noqa: E731
        self._relay = _Relay(
            name="relay",
            holder=holder,
            connect=self._connect,
            producers=producers,
            publisher=house.publisher,
            codec=CODEC,
            topics=[house.prefix + TOPIC],
            tails=tails_of(kafka),
        )
        self._relay.gates = self.gates

    def _work(self) -> Coroutine[Any, Any, object]:
        return self._relay._try_to_lead()

    def _expects(self, failure: BaseException) -> bool:
        return isinstance(failure, EXPECTED)


class SteppedReplay(Stepped):
    """One run of the command `replay`."""

    def __init__(self, house: House, kafka: Kafka, arguments: list[str]) -> None:
        super().__init__(house)
        self._deployment = in_memory(house, kafka, self._connect, self.gates)
        self._arguments = arguments

    def _work(self) -> Coroutine[Any, Any, object]:
        return command(replay, self._deployment, TOPIC, *self._arguments)

    def _expects(self, failure: BaseException) -> bool:
        return isinstance(failure, REPLAYS_EXPECTED)
