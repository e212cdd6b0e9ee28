"""Each client has limits of its own, tighter for credentials, and the log tells nothing of persons: a real Envoy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from edge_stand_in import Running, running

from lyceum.identity.v1 import identity_pb2, identity_pb2_grpc
from lyceum_gateway.limits import Limits

TIGHT = Limits(requests_per_client_per_s=10, credentials_per_client_per_min=3)
ONE, ANOTHER = {"x-forwarded-for": "203.0.113.7"}, {"x-forwarded-for": "203.0.113.8"}
DEADLINE_S = 20.0
KEYS = {"at", "method", "route", "status", "grpc_status", "duration_ms", "bytes_received", "bytes_sent", "request_id"}


@pytest.fixture
async def behind_a_proxy(tmp_path: Path) -> AsyncIterator[Running]:
    """Clients are who the proxy before it says."""
    async with running(tmp_path, limits=TIGHT, trusted_hops=1) as ready:
        yield ready


@pytest.fixture
async def in_front(tmp_path: Path) -> AsyncIterator[Running]:
    """No proxy is before it: what clients say of their address counts for nothing."""
    async with running(tmp_path, limits=TIGHT) as ready:
        yield ready


async def log_in(gateway: Running, headers: dict[str, str]) -> Any:
    return await gateway.client.post("/v1/sessions", json={}, headers=headers)


async def test_credentials_are_tried_a_few_times_by_each_client(behind_a_proxy: Running) -> None:
    first = [(await log_in(behind_a_proxy, ONE)).status_code for _ in range(3)]
    refused = await log_in(behind_a_proxy, ONE)
    assert first == [200] * 3
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json() == {"code": 8, "message": "too many requests; try again shortly", "details": []}
    assert (await log_in(behind_a_proxy, ANOTHER)).status_code == 200
    assert (await behind_a_proxy.client.get("/v1/contents", headers=ONE)).status_code == 200


async def test_the_roads_have_one_limit(behind_a_proxy: Running) -> None:
    for _ in range(3):
        await log_in(behind_a_proxy, ONE)
    async with grpc.aio.insecure_channel(behind_a_proxy.target) as channel:
        identity = identity_pb2_grpc.IdentityServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await identity.LogIn(identity_pb2.LogInRequest(), metadata=tuple(ONE.items()), timeout=10)
    assert refusal.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refusal.value.details() == "too many requests; try again shortly"


async def test_everything_else_has_a_larger_limit(behind_a_proxy: Running) -> None:
    asked = [behind_a_proxy.client.get("/v1/members/me", headers=ONE) for _ in range(40)]
    found = {answer.status_code for answer in await asyncio.gather(*asked)}
    assert found == {401, 429}
    assert (await behind_a_proxy.client.get("/v1/contents", headers=ANOTHER)).status_code == 200


async def test_neighbours_in_one_ipv6_network_are_one_client(behind_a_proxy: Running) -> None:
    answers = [await log_in(behind_a_proxy, {"x-forwarded-for": f"2001:db8::{n}"}) for n in range(1, 5)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]


async def test_a_client_cannot_say_that_it_is_another(in_front: Running) -> None:
    answers = [await log_in(in_front, {"x-forwarded-for": f"203.0.113.{n}"}) for n in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]


async def answered(gateway: Running, status: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if (await gateway.client.get("/v1/contents")).status_code == status:
                return


async def test_a_refused_client_is_taken_again(in_front: Running) -> None:
    await answered(in_front, 429)
    await answered(in_front, 200)


async def logged(gateway: Running, lines: int) -> list[dict[str, Any]]:
    """The lines of the access log but for Envoy's own requests, once there are so many: it writes them late."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            text = gateway.log.read_text()
            found = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("{")]
            found = [one for one in found if one["route"] != "/.well-known/jwks.json"]
            if len(found) >= lines:
                return found
            await asyncio.sleep(0.05)


async def test_the_log_tells_what_was_asked_and_nothing_of_who_asked(gateway: Running) -> None:
    told = {**gateway.bearer(), "x-forwarded-for": "203.0.113.7"}
    await gateway.client.get("/ready")
    await gateway.client.get("/v1/contents/secret-id?x=secret-query", headers=told)
    await gateway.client.head("/v1/contents?creator_id=secret-creator", headers=told)
    await gateway.client.get("/secret-path", headers=told)
    await gateway.client.delete("/v1/contents", headers=told)
    async with grpc.aio.insecure_channel(gateway.target) as channel:
        await identity_pb2_grpc.IdentityServiceStub(channel).LogIn(identity_pb2.LogInRequest(), timeout=10)
    lines = await logged(gateway, 5)
    assert [(one["method"], one["route"], one["status"]) for one in lines] == [
        ("GET", "/v1/contents/{content_id}", 400),
        ("HEAD", "/v1/contents", 200),
        ("GET", None, 404),
        ("DELETE", None, 405),
        ("POST", "/lyceum.identity.v1.IdentityService/LogIn", 200),
    ]
    assert all(one.keys() >= KEYS and len(one["request_id"]) == 36 for one in lines)
    text = gateway.log.read_text()
    assert [word for word in ("secret", "203.0.113", "Bearer", "127.0.0.1") if word.lower() in text.lower()] == []
