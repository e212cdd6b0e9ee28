"""An open transaction holds one stream of a service: its writers end in time, and the service serves all else."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import httpx
import psycopg
from community import Community

from lyceum_local.stack import LocalStack

CALLERS, OTHERS, SOON_S, DEADLINE_S = 12, 10, 3.0, 15.0
PRICE = {"amount_minor": 9_900, "currency": "CNY"}
IN_TIME = {409, 503, 504}
HOLD = """INSERT INTO events
(stream, version, type, schema_version, data, partition_key, occurred_at, recorded_at, meta)
VALUES (%s, 1, 'held', 1, '{}', 'k', now(), now(), '{}')"""


def product(product_id: str) -> dict[str, Any]:
    return {"product_id": product_id, "title": "t", "pricing": "fixed", "price": PRICE}


async def timed(client: httpx.AsyncClient, method: str, path: str, **given: Any) -> tuple[int, float]:
    began = time.monotonic()
    answer = await client.request(method, path, **given)
    return answer.status_code, time.monotonic() - began


async def test_one_held_stream_leaves_other_streams_and_queries_of_its_service_served(
    stack: LocalStack, community: Community
) -> None:
    held, sellers = f"held{uuid.uuid4().hex[:8]}", [community.member("creator") for _ in range(3)]
    bearers = [{"authorization": f"Bearer {seller.access_token}"} for seller in sellers]
    async with (
        httpx.AsyncClient(base_url=community.url, timeout=40, limits=httpx.Limits(max_connections=None)) as client,
        await psycopg.AsyncConnection.connect(stack.database_url("billing"), autocommit=True) as holder,
        holder.transaction(force_rollback=True),
    ):
        await holder.execute(HOLD, [f"product-{held}"])
        waiting = [
            asyncio.create_task(timed(client, "POST", "/v1/products", headers=bearers[n % 2], json=product(held)))
            for n in range(CALLERS)
        ]
        for n in range(OTHERS):
            priced = product(f"free{uuid.uuid4().hex[:8]}")
            for method, path, given in (("POST", "/v1/products", {"json": priced}), ("GET", "/v1/orders", {})):
                status, took_s = await timed(client, method, path, headers=bearers[n % 3], **given)
                assert status == 200 and took_s < SOON_S, (n, method, status, took_s)
        for status, took_s in await asyncio.gather(*waiting):
            assert status in IN_TIME and took_s < DEADLINE_S
