"""The shortest possible chain from command to visible: no streams, no checks, no relay, no recovery.

A server inserts a view, sends it to Kafka after the commit and answers reads. A worker counts views, with rows and
positions in one transaction. They use catalog's own protocol, so that the same generator drives both chains:
`python -m bench.bare_chain serve|work URL BOOTSTRAP PORT`. A crash between commit and send loses the view.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import grpc
import psycopg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from psycopg_pool import AsyncConnectionPool

from bench import running
from bench.visible import Crowd
from bench.workload import TYPE
from contracts.avro import AvroCodec
from eventfold.publish.brokers import Brokers
from eventfold.publish.publisher import partition_of
from eventfold.publish.sending import Producer
from eventfold.publish.topics import prepare_topics
from lyceum.catalog.v1 import catalog_pb2 as pb
from lyceum.catalog.v1 import catalog_pb2_grpc
from lyceum_local.ports import LOOPBACK, free_block
from lyceum_local.stack import LocalStack

TOPIC, PARTITIONS, CONTENTS = "bare.views", 4, 100
LOOK_S, GIVE_UP_S, START_WAIT_S = 0.005, 2.0, 30.0
CONNECTIONS = 8
TABLES = (
    """CREATE TABLE bare_view (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, member_id text, content_id text,
       value bytea, recorded_at timestamptz)""",
    "CREATE TABLE bare_content (content_id text PRIMARY KEY, title text, body text)",
    "CREATE TABLE bare_counter (content_id text PRIMARY KEY, views bigint)",
    "CREATE TABLE bare_position (partition int PRIMARY KEY, seq bigint)",
    f"INSERT INTO bare_content SELECT 'content-' || n, 'bench', 'bench' FROM generate_series(0, {CONTENTS - 1}) n",
)
VIEW = "INSERT INTO bare_view (member_id, content_id, value, recorded_at) VALUES (%s, %s, %s, %s)"
READ = """SELECT title, body, coalesce(views, 0) FROM bare_content LEFT JOIN bare_counter USING (content_id)
WHERE content_id = %s"""
POSITION = "SELECT seq FROM bare_position WHERE partition = %s"
COUNT = """INSERT INTO bare_counter SELECT * FROM unnest(%s::text[], %s::bigint[])
ON CONFLICT (content_id) DO UPDATE SET views = bare_counter.views + excluded.views"""
MOVE = """INSERT INTO bare_position SELECT * FROM unnest(%s::int[], %s::bigint[])
ON CONFLICT (partition) DO UPDATE SET seq = excluded.seq"""


class Servicer(catalog_pb2_grpc.CatalogServiceServicer):
    """Two of catalog's methods. A token is a partition and a sequence number on it."""

    def __init__(self, pool: AsyncConnectionPool[Any], session: AIOKafkaProducer) -> None:
        self._pool, self._session, self._avro = pool, session, AvroCodec()
        self._sent: Counter[int] = Counter()

    async def RecordInteraction(self, request: Any, context: Any) -> pb.RecordInteractionResponse:
        member_id, now = dict(context.invocation_metadata())["authorization"], datetime.now(UTC)
        datum = {"member_id": member_id, "content_id": request.content_id, "watched_ms": 0, "occurred_at": now}
        value = self._avro.encode(TYPE, datum)
        async with self._pool.connection() as conn:
            await conn.execute(VIEW, [member_id, request.content_id, value, now])
        partition = partition_of(member_id.encode(), PARTITIONS)
        self._sent[partition] += 1
        seq = self._sent[partition]
        await self._session.send(TOPIC, value, partition=partition, headers=[("seq", b"%d" % seq)])
        return pb.RecordInteractionResponse(status="created", consistency_token=f"{partition}:{seq}")

    async def GetContent(self, request: Any, context: Any) -> pb.GetContentResponse:
        partition, seq = map(int, dict(context.invocation_metadata())["x-lyceum-after"].split(":"))
        give_up_at, stale = time.monotonic() + GIVE_UP_S, True
        while stale and time.monotonic() < give_up_at:
            async with self._pool.connection() as conn:
                row = await (await conn.execute(POSITION, [partition])).fetchone()
            stale = row is None or row[0] < seq
            if stale:
                await asyncio.sleep(LOOK_S)
        await context.send_initial_metadata((("x-lyceum-stale", str(stale).lower()),))
        async with self._pool.connection() as conn:
            title, body, views = await (await conn.execute(READ, [request.content_id])).fetchone()
        return pb.GetContentResponse(
            content_id=request.content_id, title=title, body=body, counters=pb.Counters(views=views)
        )


async def serve(url: str, bootstrap: str, port: str) -> None:
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        url, min_size=CONNECTIONS, max_size=CONNECTIONS, open=False, kwargs={"autocommit": True}
    )
    await pool.open()
    session = Producer(Brokers(bootstrap), "bare")
    await session.start()
    server = grpc.aio.server()
    servicer = Servicer(pool, session)  # type: ignore[abstract]  # methods that are never called stay unimplemented
    catalog_pb2_grpc.add_CatalogServiceServicer_to_server(servicer, server)
    server.add_insecure_port(f"{LOOPBACK}:{port}")
    await server.start()
    await server.wait_for_termination()


async def work(url: str, bootstrap: str, _port: str) -> None:
    avro = AvroCodec()
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    async with await psycopg.AsyncConnection.connect(url) as conn:
        while True:
            batches = await consumer.getmany(timeout_ms=1000)
            if batches:
                await _apply(conn, avro, batches)


async def _apply(conn: Any, avro: AvroCodec, batches: Any) -> None:
    counts = Counter(avro.decode(one.value)["content_id"] for batch in batches.values() for one in batch)
    seqs = {place.partition: int(dict(batch[-1].headers)["seq"]) for place, batch in batches.items()}
    async with conn.pipeline(), conn.transaction():
        await conn.execute(COUNT, [sorted(counts), [counts[one] for one in sorted(counts)]])
        await conn.execute(MOVE, [list(seqs), list(seqs.values())])


@contextmanager
def running_chain(stack: LocalStack) -> Iterator[tuple[str, Crowd]]:
    """Runs both processes with their own schema and topic; yields the server's address and the crowd that asks it."""
    url, port = running.fresh_schema(stack, TABLES), free_block(1)
    asyncio.run(prepare_topics(stack.brokers, [TOPIC], partitions=PARTITIONS))
    command = [sys.executable, "-m", "bench.bare_chain"]
    arguments = [url, stack.kafka_bootstrap, str(port)]
    processes = [subprocess.Popen([*command, role, *arguments]) for role in ("serve", "work")]
    try:
        target = f"{LOOPBACK}:{port}"
        with grpc.insecure_channel(target) as channel:
            grpc.channel_ready_future(channel).result(START_WAIT_S)
        yield target, Crowd([uuid.uuid4().hex for _ in range(10)], [f"content-{n}" for n in range(CONTENTS)])
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main(role: str, arguments: Sequence[str]) -> None:
    uvloop.run({"serve": serve, "work": work}[role](*arguments))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
