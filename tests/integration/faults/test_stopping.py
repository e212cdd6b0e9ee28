"""A server that is stopped says so first and answers what is in flight; restarted under load it fails no request."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import httpx
import pytest
from community import PASSWORD, Community
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lyceum.identity.v1 import identity_pb2, identity_pb2_grpc
from lyceum_local.ports import LOOPBACK
from lyceum_local.stack import LocalStack

IN_FLIGHT, CALLERS, DEADLINE_S = 30, 6, 60.0
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
Status = grpc.StatusCode


def registration() -> identity_pb2.RegisterRequest:
    return identity_pb2.RegisterRequest(username=f"m{uuid.uuid4().hex[:16]}", password=PASSWORD)


async def status(call: Awaitable[object]) -> Status:
    try:
        await call
    except grpc.aio.AioRpcError as refusal:
        return refusal.code()
    return Status.OK


async def not_ready(channel: grpc.aio.Channel) -> None:
    """Return once the server says that it is not ready; fails where it is gone without having said so."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    while (await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)).status != NOT_SERVING:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_a_server_says_not_ready_first_then_answers_all_in_flight_and_then_refuses(stack: LocalStack) -> None:
    async with grpc.aio.insecure_channel(f"{LOOPBACK}:{stack.ports.of('identity')}") as channel:
        stub = identity_pb2_grpc.IdentityServiceStub(channel)
        asking = [asyncio.create_task(status(stub.Register(registration(), timeout=20))) for _ in range(IN_FLIGHT)]
        await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        stopping = asyncio.create_task(asyncio.to_thread(stack.stop, "identity-serve"))
        async with asyncio.timeout(DEADLINE_S):
            await not_ready(channel)
            assert await status(stub.Register(registration(), timeout=20)) is Status.OK, "it still serves"
            assert set(await asyncio.gather(*asking)) == {Status.OK}
            await stopping
        assert await status(stub.Register(registration(), timeout=5)) is Status.UNAVAILABLE
    stack.start_servers(["identity"])


async def load(ask: Callable[[], Awaitable[httpx.Response]], done: asyncio.Event) -> list[str]:
    """Ask until it is done; what was answered other than 200."""
    wrong = []
    while not done.is_set():
        began = time.monotonic()
        answer = await ask()
        if answer.status_code != 200:
            wrong.append(f"{answer.status_code} after {time.monotonic() - began:.1f} s: {answer.text[:200]}")
    return wrong


@pytest.mark.parametrize("process", ["identity-serve", "catalog-serve", "billing-serve", "reco-serve"])
async def test_a_server_that_is_restarted_under_load_fails_no_request(
    stack: LocalStack, community: Community, process: str
) -> None:
    member, done = community.member("creator"), asyncio.Event()
    bearer = {"authorization": f"Bearer {member.access_token}"}
    content = member.post("/v1/contents", {"kind": "text", "title": "t", "body": "b" * 100})["content_id"]
    async with httpx.AsyncClient(base_url=community.url, timeout=40, headers=bearer) as client:
        like = f"/v1/contents/{content}/interactions"
        asks: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
            "identity": lambda: client.get("/v1/members/me"),
            "catalog": lambda: client.post(like, json={"kind": "view", "watched_ms": 1000}),
            "billing": lambda: client.get("/v1/orders"),
            "reco": lambda: client.get("/v1/popular"),
        }
        ask = asks[process.removesuffix("-serve")]
        loading = [asyncio.create_task(load(ask, done)) for _ in range(CALLERS)]
        await asyncio.to_thread(stack.restart, process)
        done.set()
        assert not [wrong for caller in await asyncio.gather(*loading) for wrong in caller]
