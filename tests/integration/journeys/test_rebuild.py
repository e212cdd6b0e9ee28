"""Every projection, folded anew from the first record, equals the one that grew live."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import in_containers
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from community import Community, eventually
from psycopg.conninfo import conninfo_to_dict
from shop import bought, opened, promoted, quote

from contracts.avro import AvroCodec
from eventfold import FoldGroup, Projection, ReadTable
from eventfold.fold.runner import FoldRunner
from eventfold.fold.runs import PartitionBatch
from eventfold.postgres import schema
from lyceum_local.settings import SERVICES
from lyceum_local.stack import LocalStack
from servicekit import database
from servicekit.definition import ServiceDefinition

FETCH_RECORDS = 700
"""Unlike the worker's, so that batches are cut elsewhere."""

Ends = dict[TopicPartition, int]
LOOPBACK_HOOK = "http://127.0.0.1:9/"
"""Nothing is sold after it is registered, so nobody listens."""
HOOKED = pytest.mark.one_machine("a webhook at this machine's loopback address")
ALL = [pytest.param(name, marks=HOOKED) if name == "notifications" else name for name in SERVICES]


@pytest.fixture(scope="module")
def lively(community: Community, stack: LocalStack) -> None:
    """Something for every projection to fold, whichever tests came before."""
    shop, buyer = opened(community), community.member()
    bought(buyer, stack, quote(buyer, shop, promoted(shop)))
    path = f"/v1/contents/{shop.content_id}"
    eventually(lambda: buyer.get(path)["access"]["allowed"])
    for interaction in ({"kind": "view"}, {"kind": "comment", "comment": "很好"}):
        token = buyer.post(f"{path}/interactions", interaction)["consistency_token"]
        buyer.get_after(path, [token])
    buyer.post(f"{path}/feedback", {"kind": "not_interested"})
    assert buyer.get("/v1/recommendations")["answer_id"], "it leaves an impression"
    if not in_containers.ASKED_FOR:
        told = {"url": LOOPBACK_HOOK, "types": ["order.paid"], "scope": "own"}
        endpoint = shop.creator.post("/v1/webhooks/endpoints", told)["endpoint_id"]
        shop.creator.post(f"/v1/webhooks/endpoints/{endpoint}:disable", {})
    assert buyer.get("/v1/metrics/releases/trend", dimension="tag")["release"], "it is paid from a budget"


@asynccontextmanager
async def shadow(stack: LocalStack, service: str, projections: Sequence[Projection]) -> AsyncIterator[str]:
    """The service's database with an empty schema of the same tables; yields its URL."""
    name = f"rebuilt_{service}"
    database_name = conninfo_to_dict(stack.database_url(service))["dbname"]
    url = f"{stack.admin_url.rsplit('/', 1)[0]}/{database_name}"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
        await admin.execute(f"CREATE SCHEMA {name}")
        await admin.execute(f"SET search_path = {name}")
        own = [table.create_sql for one in projections for table in one.tables]
        for statement in [*schema.all_statements(), *own]:
            await admin.execute(statement)
        try:
            yield f"{url}?options=-csearch_path%3D{name}"
        finally:
            await admin.execute(f"DROP SCHEMA {name} CASCADE")


def applied(url: str) -> dict[tuple[str, str, int], int]:
    """Next offset by projection, topic and partition."""
    with psycopg.connect(url) as conn:
        rows = conn.execute("SELECT projection, topic, partition, next_offset FROM fold_position").fetchall()
    return {(projection, topic, partition): offset for projection, topic, partition, offset in rows}


async def content(url: str, table: ReadTable[tuple[object, ...]]) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(url) as conn:
        query = f"SELECT {', '.join(table.columns)} FROM {table.name} ORDER BY {', '.join(table.key_columns)}"  # noqa: S608
        return await (await conn.execute(query)).fetchall()


async def refold(stack: LocalStack, url: str, projection: Projection, ends: Ends) -> None:
    """Fold every record below `ends` from zero."""
    consumer = AIOKafkaConsumer(**stack.brokers.client(), auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with database.make_pool(url, 2) as pool:
            runner = FoldRunner(
                worker="rebuild",
                pool=pool,
                avro=AvroCodec(),
                groups=[FoldGroup("rebuild", (projection,))],
                topic_prefix=stack.around.prefix,
            )
            consumer.assign(list(ends))
            await consumer.seek_to_beginning()
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                fetched = await consumer.getmany(timeout_ms=1000, max_records=FETCH_RECORDS)
                batches = [
                    PartitionBatch(place.topic, place.partition, kept)
                    for place, records in fetched.items()
                    if (kept := [record for record in records if record.offset < ends[place]])
                ]
                if batches:
                    await runner.apply(batches)
    finally:
        await consumer.stop()


@pytest.mark.usefixtures("lively")
@pytest.mark.parametrize("service", ALL)
async def test_a_projection_rebuilt_from_zero_equals_the_live_one(stack: LocalStack, service: str) -> None:
    definition: ServiceDefinition = importlib.import_module(f"{service}.bootstrap").DEFINITION
    live = stack.database_url(service)
    eventually(lambda: {one.name for one in definition.projections} <= {name for name, *_ in applied(live)})
    for projection in definition.projections:
        stack.stop(f"{service}-work")
        try:
            positions = applied(live)
            ends = {
                TopicPartition(topic, partition): offset
                for (name, topic, partition), offset in positions.items()
                if name == projection.name
            }
            assert ends, f"{projection.name} has applied something"
            async with shadow(stack, service, [projection]) as rebuilt:
                await refold(stack, rebuilt, projection, ends)
                for table in projection.tables:
                    assert await content(rebuilt, table) == await content(live, table), table.name
        finally:
            stack.start(f"{service}-work")
