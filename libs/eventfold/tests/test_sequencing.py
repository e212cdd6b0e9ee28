"""Sequencing by the relay, where ways that lean on transaction ids fail: a busy neighbour, and a restored database."""

from __future__ import annotations

import asyncio
import random
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import psycopg
import pytest
from house import House, context
from psycopg.errors import LockNotAvailable
from psycopg_pool import AsyncConnectionPool
from reading import assert_unbroken_runs, header, read_all, stored_order
from relaying import eventually, everything_acknowledged, relaying
from shelf import CODEC, TOPIC, add

from eventfold import Connection, EventStore
from eventfold.postgres import schema
from eventfold.publish import lease as leases
from eventfold.publish import sequencing
from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import prepare_topics
from eventfold.write.rows import AFTER, LAST_SEQ
from lyceum_local import postgres
from lyceum_local.settings import Ports
from lyceum_local.stack import LocalStack

DUMP_TIMEOUT_S = 60


@pytest.fixture
async def topic(house: House, brokers: Brokers) -> str:
    await prepare_topics(brokers, [house.prefix + TOPIC], partitions=4)
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
    house: House, postgres_url: str, brokers: Brokers, topic: str
) -> None:
    neighbour = f"neighbour_{house.prefix.rstrip('.')}"
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(f"CREATE DATABASE {neighbour}")
        elsewhere = f"{postgres_url.rsplit('/', 1)[0]}/{neighbour}"
        async with await psycopg.AsyncConnection.connect(elsewhere) as writing:
            await writing.execute("CREATE TABLE held (n integer)")
            before = await house.rows("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            await house.store.handle_batch([add(f"{n}", "a") for n in range(20)], context())
            async with relaying(house, brokers):
                await eventually(lambda: everything_acknowledged(house))
            horizon = await house.rows("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            assert horizon == before, "the neighbour holds the horizon of the whole cluster"
        await admin.execute(f"DROP DATABASE {neighbour}")
    assert len(await read_all(brokers, topic)) == 20


async def test_a_store_restored_into_a_fresh_cluster_goes_on_where_it_was(
    house: House, brokers: Brokers, topic: str, fresh_cluster: str
) -> None:
    await house.store.handle_batch([add(f"{n % 5}", f"{n}") for n in range(50)], context())
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
    await house.store.handle(add("0", "committed, and not yet sequenced"), context())
    await asyncio.to_thread(_copy, house, fresh_cluster)
    url = f"{fresh_cluster}?options=-csearch_path%3D{house.prefix.rstrip('.')}"
    async with AsyncConnectionPool(url, min_size=1, open=False, kwargs={"autocommit": True}) as pool:
        moved = replace(house, url=url, pool=pool, store=EventStore(pool, CODEC, house.publisher, house.store._rng))
        await moved.store.handle_batch([add(f"{n % 5}", f"later {n}") for n in range(50)], context())
        async with relaying(moved, brokers, holder="two"):
            await eventually(lambda: everything_acknowledged(moved))
        assert await moved.rows("SELECT min(seq), max(seq), count(*) FROM event_sequence") == [(1, 101, 101)]
        assert_unbroken_runs(await read_all(brokers, topic), await stored_order(moved))


def _copy(house: House, to: str) -> None:
    """Dump the schema and restore it, as an operator would."""
    schema, source = house.prefix.rstrip("."), house.url.split("?", 1)[0]
    dump = subprocess.run(
        [postgres.binaries() / "pg_dump", "--schema", schema, "--no-owner", source],
        stdout=subprocess.PIPE,
        timeout=DUMP_TIMEOUT_S,
        check=True,
    )
    subprocess.run(
        [postgres.binaries() / "psql", "--quiet", "--set", "ON_ERROR_STOP=1", to],
        input=dump.stdout,
        stdout=subprocess.DEVNULL,
        timeout=DUMP_TIMEOUT_S,
        check=True,
    )


async def test_whoever_inserts_an_event_has_it_published(house: House, brokers: Brokers, topic: str) -> None:
    """An older server, which knows nothing of `unsequenced`, may still run when the tables are new."""
    await house.store.handle(add("one", "a"), context())
    columns = "stream, version, type, schema_version, data, partition_key, occurred_at, recorded_at, meta, public_value"
    await house.rows(
        f"INSERT INTO events ({columns}) SELECT {columns.replace('version,', 'version + n,', 1)} "
        "FROM events, generate_series(1, 3) n RETURNING 1"
    )
    async with relaying(house, brokers):
        await eventually(lambda: everything_acknowledged(house))
    records = await read_all(brokers, topic)
    assert [header(record, "ce_aggregateversion") for record in records] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("seed", range(4))
async def test_numbers_are_found_again_whatever_was_visible_when(house: House, seed: int) -> None:
    """Rolled back positions, late commits, batches of any size: runs say of each event what a list of all would."""
    rng = random.Random(seed)
    expected = [position for batch in await _visible_in_turns(house, rng) for position in batch]
    assert await house.rows("SELECT seq, position FROM event_sequence ORDER BY seq") == [*enumerate(expected, 1)]
    async with house.pool.connection() as conn:
        for position in rng.sample(expected, 10):
            recorded = await house.store.at(conn, position)
            assert recorded and (recorded.position, recorded.seq) == (position, expected.index(position) + 1)
        for after, rows in [
            (0, 1),
            (0, 99),
            (len(expected), 9),
            *((rng.randrange(40), rng.randint(1, 30)) for _ in "12345"),
        ]:
            found = await conn.execute(AFTER.format("seq, position"), {"after": after, "rows": rows})
            assert await found.fetchall() == [*enumerate(expected, 1)][after : after + rows], (after, rows)
        assert await (await conn.execute(f"SELECT {LAST_SEQ}")).fetchone() == (len(expected),)


async def _visible_in_turns(house: House, rng: random.Random) -> list[list[int]]:
    """Sequence events in batches, some of which become visible later than others; the batches, as they must be."""
    batches: list[list[int]] = []
    async with house.pool.connection() as conn:
        lease = await leases.acquire(conn, "relay", "one")
        assert lease
        arguments = {"name": lease.name, "epoch": lease.epoch, "lease_s": leases.LEASE_S, "rows": 7}
        for n in range(12):
            await house.store.handle_batch([add(f"{n}", f"{m}") for m in range(rng.randint(1, 9))], context())
            await conn.execute("SELECT nextval(pg_get_serial_sequence('events', 'position'))")
            hidden = await conn.execute(
                "DELETE FROM unsequenced WHERE mod(position, %s) = 0 RETURNING *", [rng.randint(2, 5)]
            )
            late = await hidden.fetchall()
            batches.append(await _sequenced(conn, arguments))
            for (position,) in late:
                await conn.execute("INSERT INTO unsequenced VALUES (%s)", [position])
        while batches[-1]:
            batches.append(await _sequenced(conn, arguments))
    return batches


async def _sequenced(conn: Connection, arguments: dict[str, Any]) -> list[int]:
    """One batch as the relay takes it: what it returns is the lowest of what is visible, in order."""
    visible = [row[0] for row in await (await conn.execute("TABLE unsequenced")).fetchall()]
    rows = await (await conn.execute(sequencing.ALL, {"floor": 0, "bytes": 2**30, **arguments}, binary=True)).fetchall()
    taken = sorted(visible)[: arguments["rows"]]
    assert [row[sequencing.POSITION] for row in sorted(rows, key=itemgetter(sequencing.SEQ))] == taken
    return taken


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
               FROM unnest(ARRAY[2, 1, NULL, 3, NULL, 5, 6, 4, 7]) WITH ORDINALITY AS v(seq, n)"""
        )
        await _upgrade(conn, [5, 6])
        sequenced = "SELECT seq::int, version FROM event_sequence JOIN events USING (position) ORDER BY seq"
        assert await (await conn.execute(sequenced)).fetchall() == [
            (1, 2),
            (2, 1),
            (3, 4),
            (4, 8),
            (5, 6),
            (6, 7),
            (7, 9),
        ]
        runs = "SELECT first_seq, first_position, length FROM sequence_run ORDER BY first_seq"
        assert await (await conn.execute(runs)).fetchall() == [
            (1, 2, 1),
            (2, 1, 1),
            (3, 4, 1),
            (4, 8, 1),
            (5, 6, 2),
            (7, 9, 1),
        ]
        rest = "SELECT version FROM unsequenced JOIN events USING (position) ORDER BY version"
        assert await (await conn.execute(rest)).fetchall() == [(3,), (5,)]
        await conn.execute(f"DROP SCHEMA {name} CASCADE")


async def test_a_relay_of_the_build_before_numbers_nothing_while_the_tables_change(postgres_url: str) -> None:
    name, numbered = f"before_{uuid.uuid4().hex[:12]}", "INSERT INTO event_sequence (seq, position) VALUES (1, 1)"
    async with (
        await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as conn,
        await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as old,
    ):
        await conn.execute(f"CREATE SCHEMA {name}")
        for one in (conn, old):
            await one.execute(f"SET search_path = {name}")
        await _upgrade(conn, range(1, 6))
        await old.execute("SET lock_timeout = '200 ms'")
        async with conn.transaction():
            for statement in schema.step(6):
                await conn.execute(statement.encode())
                with pytest.raises(LockNotAvailable):
                    await old.execute(numbered)
        with pytest.raises(psycopg.OperationalError, match="event_sequence"):  # it begins a new term, until replaced
            await old.execute(numbered)
        await conn.execute(f"DROP SCHEMA {name} CASCADE")


async def _upgrade(conn: Connection, versions: Iterable[int]) -> None:
    for version in versions:
        for statement in schema.step(version):
            await conn.execute(statement.encode())


async def test_the_floor_rises_over_what_is_settled_and_falls_for_what_is_put_back(house: House) -> None:
    async with house.pool.connection() as conn, house.pool.connection() as writer:
        floor = sequencing.Floor()
        await house.store.handle_batch([add("a", f"{n}") for n in range(5)], context())
        async with writer.transaction():
            late, _ = await house.store.decide(writer, [add("late", "b")], context())
            await house.store.handle(add("a", "above it"), context())
            await conn.execute("DELETE FROM unsequenced")
            for _ in range(4):
                await floor.raise_over(conn)
            assert late and floor.position < 6, "a transaction under way may bring a lower one"
        await conn.execute("DELETE FROM unsequenced WHERE position = 7")
        for _ in range(4):
            await floor.raise_over(conn)
        assert floor.position == 5, "what came late waits above it"
        await conn.execute("DELETE FROM unsequenced")
        for _ in range(3):
            await floor.raise_over(conn)
        assert floor.position == 7
        await conn.execute("INSERT INTO unsequenced VALUES (3)")
        await floor.raise_over(conn)
        assert floor.position == 2, "put back by hand, it is found"


async def test_looks_stay_short_under_an_old_snapshot(house: House) -> None:
    async with house.pool.connection() as conn, await house.connect() as old:
        await old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await old.execute("SELECT 1")
        await conn.execute("INSERT INTO unsequenced SELECT generate_series(1, 100000)")
        await conn.execute("DELETE FROM unsequenced")
        await conn.execute("SET enable_seqscan = off")
        looked = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT min(position) FROM unsequenced WHERE position > %s"
        pages = [
            (await (await conn.execute(looked, [floor])).fetchone() or [[]])[0][0]["Plan"]["Shared Hit Blocks"]
            for floor in (0, 100_000)
        ]
        await old.execute("ROLLBACK")
    assert pages[0] > 200 and pages[1] < 10
