"""An isolated installation over a real PostgreSQL: a schema and a topic prefix of its own."""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import quote

import psycopg
from psycopg_pool import AsyncConnectionPool
from shelf import CODEC, COUNTS, JsonInsteadOfAvro, to_public

from eventfold import Connection, Context, EventStore, Pool
from eventfold.postgres import schema
from eventfold.publish.publisher import Publisher

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def context(actor: str = "tester") -> Context:
    return Context(now=NOW, actor=actor, correlation_id="correlation")


@dataclass(frozen=True)
class House:
    """One isolated installation: a schema, a topic prefix, and a store over them."""

    url: str
    pool: Pool
    store: EventStore
    publisher: Publisher
    prefix: str

    def restarted(self) -> House:
        """The same installation behind a server that remembers nothing of what the last one wrote. Time stands still in
        these tests, so a server that outlived its tables would take a new event for the one it remembers."""
        return replace(self, store=_store(self.pool, self.publisher))

    async def connect(self) -> Connection:
        return await psycopg.AsyncConnection.connect(self.url, autocommit=True)

    async def rows(self, query: str) -> list[tuple[object, ...]]:
        async with self.pool.connection() as conn:
            return await (await conn.execute(query)).fetchall()


@contextlib.asynccontextmanager
async def built(postgres_url: str, options: str = "") -> AsyncIterator[House]:
    name = f"t{uuid.uuid4().hex[:12]}"
    url = f"{postgres_url}?options={quote(f'-csearch_path={name} {options}')}"
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(f"CREATE SCHEMA {name}")
        await admin.execute(f"SET search_path = {name}")
        for statement in _statements():
            await admin.execute(statement)
        async with AsyncConnectionPool(url, min_size=1, max_size=8, open=False, kwargs={"autocommit": True}) as pool:
            publisher = Publisher("/library", to_public, JsonInsteadOfAvro(), f"{name}.")
            yield House(url, pool, _store(pool, publisher), publisher, f"{name}.")
        await admin.execute(f"DROP SCHEMA {name} CASCADE")
        await admin.execute(f"DROP SCHEMA IF EXISTS {name}_shadow CASCADE")


def _store(pool: Pool, publisher: Publisher) -> EventStore:
    return EventStore(pool, CODEC, publisher, random.Random(7))


def _statements() -> list[str]:
    return [*schema.all_statements(), COUNTS.create_sql]
