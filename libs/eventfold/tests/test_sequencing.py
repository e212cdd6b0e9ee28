"""Sequencing by the relay, where ways that lean on transaction ids fail: a busy neighbour, and a restored database."""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from house import House, context
from psycopg_pool import AsyncConnectionPool
from reading import assert_unbroken_runs, header, read_all, stored_order
from relaying import eventually, everything_acknowledged, relaying
from shelf import CODEC, TOPIC, add

from eventfold import schema
from eventfold.store import Connection, EventStore
from eventfold.topics import prepare_topics
from lyceum_local import postgres
from lyceum_local.settings import Ports
from lyceum_local.stack import LocalStack

DUMP_TIMEOUT_S = 60


@pytest.fixture
async def topic(house: House, kafka_bootstrap: str) -> str:
    await prepare_topics(kafka_bootstrap, [house.prefix + TOPIC], partitions=4)
    return house.prefix + TOPIC


@pytest.fixture
def fresh_cluster(tmp_path: Path) -> Iterator[str]:
    """A second PostgreSQL, whose transaction ids begin anew."""
    stack = LocalStack(tmp_path / "fresh", Ports.free(), prefix="fresh.")
    try:
        stack.start_postgres()
        yield stack.admin_url
    finally:
        stack.down()


async def test_an_open_write_in_another_database_of_the_cluster_hides_nothing(
    house: House, postgres_url: str, kafka_bootstrap: str, topic: str
) -> None:
    neighbour = f"neighbour_{house.prefix.rstrip('.')}"
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(f"CREATE DATABASE {neighbour}")
        elsewhere = f"{postgres_url.rsplit('/', 1)[0]}/{neighbour}"
        async with await psycopg.AsyncConnection.connect(elsewhere) as writing:
            await writing.execute("CREATE TABLE held (n integer)")
            before = await house.rows("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            await house.store.handle_batch([add(f"{n}", "a") for n in range(20)], context())
            async with relaying(house, kafka_bootstrap):
                await eventually(lambda: everything_acknowledged(house))
            horizon = await house.rows("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            assert horizon == before, "the neighbour holds the horizon of the whole cluster"
        await admin.execute(f"DROP DATABASE {neighbour}")
    assert len(await read_all(kafka_bootstrap, topic)) == 20


async def test_a_store_restored_into_a_fresh_cluster_goes_on_where_it_was(
    house: House, kafka_bootstrap: str, topic: str, fresh_cluster: str
) -> None:
    await house.store.handle_batch([add(f"{n % 5}", f"{n}") for n in range(50)], context())
    async with relaying(house, kafka_bootstrap):
        await eventually(lambda: everything_acknowledged(house))
    await house.store.handle(add("0", "committed, and not yet sequenced"), context())
    await asyncio.to_thread(_copy, house, fresh_cluster)
    url = f"{fresh_cluster}?options=-csearch_path%3D{house.prefix.rstrip('.')}"
    async with AsyncConnectionPool(url, min_size=1, open=False, kwargs={"autocommit": True}) as pool:
        moved = replace(house, url=url, pool=pool, store=EventStore(pool, CODEC, house.publisher, house.store._rng))
        await moved.store.handle_batch([add(f"{n % 5}", f"later {n}") for n in range(50)], context())
        async with relaying(moved, kafka_bootstrap, holder="two"):
            await eventually(lambda: everything_acknowledged(moved))
        assert await moved.rows("SELECT min(seq), max(seq), count(*) FROM event_sequence") == [(1, 101, 101)]
        assert_unbroken_runs(await read_all(kafka_bootstrap, topic), await stored_order(moved))


def _copy(house: House, to: str) -> None:
    """Dump the schema and restore it, as an operator would."""
    schema, source = house.prefix.rstrip("."), house.url.split("?", 1)[0]
    dump = subprocess.run(
        [postgres.binaries() / "pg_dump", "--schema", schema, "--no-owner", source],
        stdout=subprocess.PIPE, timeout=DUMP_TIMEOUT_S, check=True,
    )  # fmt: skip
    subprocess.run(
        [postgres.binaries() / "psql", "--quiet", "--set", "ON_ERROR_STOP=1", to],
        input=dump.stdout, stdout=subprocess.DEVNULL, timeout=DUMP_TIMEOUT_S, check=True,
    )  # fmt: skip


async def test_whoever_inserts_an_event_has_it_published(house: House, kafka_bootstrap: str, topic: str) -> None:
    """An older server, which knows nothing of `unsequenced`, may still run when the tables are new."""
    await house.store.handle(add("one", "a"), context())
    columns = "stream, version, type, schema_version, data, partition_key, occurred_at, recorded_at, meta, public_value"
    await house.rows(
        f"INSERT INTO events ({columns}) SELECT {columns.replace('version,', 'version + n,', 1)} "
        "FROM events, generate_series(1, 3) n RETURNING 1"
    )
    async with relaying(house, kafka_bootstrap):
        await eventually(lambda: everything_acknowledged(house))
    records = await read_all(kafka_bootstrap, topic)
    assert [header(record, "ce_aggregateversion") for record in records] == ["1", "2", "3", "4"]


async def test_a_store_of_the_tables_before_goes_on_where_it_was(postgres_url: str) -> None:
    name = f"before_{uuid.uuid4().hex[:12]}"
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as conn:
        await conn.execute(f"CREATE SCHEMA {name}")
        await conn.execute(f"SET search_path = {name}")
        await _upgrade(conn, range(1, 5))
        await conn.execute(
            """INSERT INTO events (stream, version, type, schema_version, data, partition_key, occurred_at, recorded_at,
                                   meta, seq)
               SELECT 's', n, 't', 1, '{}', 'k', now(), now(), '{}', seq
               FROM (VALUES (1, 2), (2, 1), (3, NULL), (4, 3), (5, NULL)) AS v(n, seq)"""
        )
        await _upgrade(conn, [5])
        sequenced = "SELECT seq::int, version FROM event_sequence JOIN events USING (position) ORDER BY seq"
        assert await (await conn.execute(sequenced)).fetchall() == [(1, 2), (2, 1), (3, 4)]
        rest = "SELECT version FROM unsequenced JOIN events USING (position) ORDER BY version"
        assert await (await conn.execute(rest)).fetchall() == [(3,), (5,)]
        await conn.execute(f"DROP SCHEMA {name} CASCADE")


async def _upgrade(conn: Connection, versions: Iterable[int]) -> None:
    statements: list[str] = []
    for version in versions:
        schema.upgrade(statements.append, version)
    for statement in statements:
        await conn.execute(statement.encode())
