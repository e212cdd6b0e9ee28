"""A relay that moves only when told to: it stands still around every transaction and every send.

It is the relay of the package, unchanged, over real connections; only time is taken from it. So a test decides what
happens between any two of its steps: a crash, a successor, another writer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import psycopg
from aiokafka.errors import KafkaConnectionError, KafkaError
from house import House
from memory_kafka import Gates, Log, Session
from shelf import CODEC

from eventfold.errors import LeaseLost
from eventfold.relay import Relay

SETTLING_TURNS = 40
STILL_WITHIN_S = 10.0
EXPECTED = (LeaseLost, KafkaError, psycopg.OperationalError)
"""What a term of leadership may end with."""


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

    async def wait_for_work(self, idle_s: float) -> None:
        await self.gates.reach("idle")


class SteppedRelay:
    """One attempt to lead."""

    def __init__(self, house: House, log: Log, holder: str) -> None:
        self.holder = holder
        self.gates = Gates()
        self._url = house.url
        self._connections: list[GatedConnection] = []
        producers: Any = lambda: Session(log, self.gates)  # noqa: E731
        self._relay = _Relay(
            name="relay", holder=holder, connect=self._connect, producers=producers, publisher=house.publisher,
            codec=CODEC, topics=[log.topic],
        )  # fmt: skip
        self._relay.gates = self.gates

    async def _connect(self) -> GatedConnection:
        conn = await GatedConnection.take(self._url, self.gates)
        self._connections.append(conn)
        return conn

    async def start(self) -> None:
        """Run to the first gate; ended at once where another holds the lease."""
        self._term = asyncio.create_task(self._relay._try_to_lead())
        await self._until_still()

    @property
    def ended(self) -> bool:
        """Whether its term is over and nothing of it is still on the way to the broker."""
        return self._term.done() and not self.gates.waiting

    @property
    def idle(self) -> bool:
        return [point for point, _ in self.gates.waiting] == ["idle"]

    async def step(self, index: int) -> None:
        """Pass one of the gates at which it stands."""
        self.gates.release(index)
        await self._until_still()

    async def fail_a_send(self, index: int) -> None:
        """Raise a send error where it waits to send or for an acknowledgement; does nothing elsewhere."""
        sends = [n for n, (point, _) in enumerate(self.gates.waiting) if point in ("send", "sent")]
        if not sends or self._term.done():
            return
        self.gates.release(sends[index % len(sends)], KafkaConnectionError("cut off"))
        await asyncio.wait([self._term])
        self._judge()

    async def crash(self) -> None:
        """End as a killed process does: nothing is released or rolled back by itself."""
        for conn in self._connections:
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
        if self._term.done() and not self._term.cancelled():
            failure = self._term.exception()
            if failure is not None and not isinstance(failure, EXPECTED):
                raise failure
