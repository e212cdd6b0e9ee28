"""A due-date worker as a process: `python due_process.py URL HOLDER POINT`. It strikes itself at the named point.

It rings alarms and carries out intents at a bank, which is a table that it reaches over a connection of its own: what
is committed there has happened outside, whatever becomes of the process.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from alarms import ALARM, CODEC, Unpublished, ring
from psycopg_pool import AsyncConnectionPool

from eventfold import Connection, EventStore, Pace
from eventfold.publish.lease import Lease
from eventfold.timers.due_worker import DueWorker
from eventfold.timers.intents import Answer, carrying_out
from eventfold.vocabulary.due import timer

BANK = """CREATE TABLE bank_call (what text NOT NULL, number text NOT NULL);
CREATE TABLE bank_effect (number text PRIMARY KEY);"""
POINTS = (
    "after-taking",
    "before-the-call",
    "after-the-effect",
    "after-the-answer",
    "after-append-before-commit",
    "after-commit",
)
PACE = Pace(timedelta(milliseconds=200), timedelta(seconds=1))


class Striking:
    """Kills the process where it comes past the armed point; at `stop-…` it stops it, as a paused machine is."""

    def __init__(self, armed: str) -> None:
        self._armed = armed

    def pass_by(self, point: str) -> None:
        if self._armed == point:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._armed == f"stop-{point}":
            self._armed = ""
            os.kill(os.getpid(), signal.SIGSTOP)


class Bank:
    """Does a thing once for a number, as the providers do that a service may use."""

    def __init__(self, url: str, striking: Striking) -> None:
        self._url = url
        self._striking = striking

    async def execute(self, number: str, request: Mapping[str, Any]) -> Answer:
        self._striking.pass_by("before-the-call")
        await self._called("execute", number)
        await self._do("INSERT INTO bank_effect VALUES (%s) ON CONFLICT DO NOTHING", number)
        self._striking.pass_by("after-the-effect")
        return Answer("succeeded", "ref")

    async def query(self, number: str) -> Answer | None:
        await self._called("query", number)
        return Answer("succeeded", "ref") if await self._done(number) else None

    async def _called(self, what: str, number: str) -> None:
        await self._do("INSERT INTO bank_call VALUES (%s, %s)", what, number)

    async def _done(self, number: str) -> bool:
        return await self._do("SELECT 1 FROM bank_effect WHERE number = %s", number) > 0

    async def _do(self, statement: str, *values: str) -> int:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as conn:
            return (await conn.execute(statement.encode(), values)).rowcount


class StruckStore(EventStore):
    """Comes past its points with the dates taken, and with everything written and nothing of it committed."""

    striking: Striking

    async def states(self, *arguments: Any, **named: Any) -> Any:
        self.striking.pass_by("after-taking")
        return await super().states(*arguments, **named)

    async def decide(self, *arguments: Any, **named: Any) -> Any:
        self.striking.pass_by("after-the-answer")
        decided = await super().decide(*arguments, **named)
        self.striking.pass_by("after-append-before-commit")
        return decided


class StruckWorker(DueWorker):
    """Comes past its point when all of a look is committed."""

    striking: Striking

    async def look(self, conn: Connection, lease: Lease) -> int:
        seen = await super().look(conn, lease)
        if seen:
            self.striking.pass_by("after-commit")
        return seen


async def main(url: str, holder: str, point: str) -> None:
    striking = Striking(point)

    async def connect() -> Connection:
        return await psycopg.AsyncConnection.connect(url, autocommit=True)

    async with AsyncConnectionPool(url, min_size=1, max_size=2, open=False, kwargs={"autocommit": True}) as pool:
        store = StruckStore(pool, CODEC, Unpublished(), random.Random())
        worker = StruckWorker(
            name="due",
            holder=holder,
            connect=connect,
            store=store,
            clock=lambda: datetime.now(UTC),
            handlers=[timer(ALARM, ring, PACE), carrying_out({"bank": Bank(url, striking)}, PACE)],
            rng=random.Random(),
        )
        store.striking = worker.striking = striking
        await worker.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
