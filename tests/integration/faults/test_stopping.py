"""A server that is stopped says so first and answers what is in flight; restarted under load it fails no request."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from community import PASSWORD, Community
from grpc_health.v1 import health_pb2, health_pb2_grpc
from replicas import Balancer, Replica, before_both, beside

from lyceum.identity.v1 import identity_pb2, identity_pb2_grpc
from lyceum_local.ports import LOOPBACK, free_block
from lyceum_local.stack import LocalStack

pytestmark = pytest.mark.one_machine("servers and gateways started with settings of their own")

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
    content = member.post("/v1/contents", {"kind": "text", "title": "t", "body": "b" * 100, "access": "free"})[
        "content_id"
    ]
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


async def test_two_replicas_of_each_are_replaced_one_by_one_and_no_request_fails(
    stack: LocalStack, community: Community, tmp_path: Path
) -> None:
    """Given two of each, behind two gateways, when each is stopped and started in turn under load, then every request
    is answered with 200, and who reads after writing sees what was written."""
    member = community.member("creator")
    bearer = {"authorization": f"Bearer {member.access_token}"}
    seconds = {service: free_block(1) for service in ("identity", "catalog")}
    with ExitStack() as running:
        servers = [
            running.enter_context(one)
            for service, port in seconds.items()
            for one in (in_place_of_the_first(stack, service), beside(stack, service, "serve", port))
        ]
        worker = running.enter_context(beside(stack, "catalog", "work"))
        for one in (*servers, worker):
            one.ready()
        gateways = [running.enter_context(before_both(stack, tmp_path, seconds)) for _ in range(2)]
        for one, _ in gateways:
            one.ready()
        balancer = Balancer([url for _, url in gateways])
        async with httpx.AsyncClient(
            transport=balancer, base_url="http://127.0.0.1", timeout=40, headers=bearer
        ) as client:
            wrong: list[str] = []
            done = asyncio.Event()
            loading = [asyncio.create_task(reads_own_writes(client, wrong, done)) for _ in range(CALLERS)]
            await asyncio.to_thread(stack.restart, "catalog-work")
            await asyncio.to_thread(stack.start_workers, ["catalog"])  # which waits for it, as a rollout does
            for one in (*servers, worker, *(one for one, _ in gateways)):
                await asyncio.to_thread(one.restart)
            done.set()
            answered = await asyncio.gather(*loading)
    assert (wrong, failures(tmp_path)) == ([], []) and min(answered) > 0


@contextmanager
def in_place_of_the_first(stack: LocalStack, service: str) -> Iterator[Replica]:
    """A server at the address of the stack's own, which is away for so long."""
    stack.stop(f"{service}-serve")
    try:
        with beside(stack, service, "serve", stack.ports.of(service)) as replica:
            yield replica
    finally:
        stack.start_servers([service])


def failures(logs: Path) -> list[str]:
    """What the gateways' logs say of requests that failed: they tell why, as their answers do not."""
    lines = [line for log in logs.glob("envoy-*.log") for line in log.read_text().splitlines()]
    return [line for line in lines if line.startswith("{") and json.loads(line)["status"] >= 500]


async def reads_own_writes(client: httpx.AsyncClient, wrong: list[str], done: asyncio.Event) -> int:
    """Publish, look at oneself and at what was published, until it is done; how often."""
    times = 0
    while not done.is_set():
        work = {"kind": "text", "title": "t", "body": "b", "access": "free"}
        published = await asked(client.post("/v1/contents", json=work), wrong)
        after = {"x-lyceum-after": published.get("consistency_token", "")}
        await asked(client.get("/v1/members/me"), wrong)
        shown = await asked(client.get(f"/v1/contents/{published.get('content_id')}", headers=after), wrong)
        if shown and shown["content_id"] != published["content_id"]:
            wrong.append(f"{shown} instead of {published}")
        times += 1
    return times


async def asked(call: Awaitable[httpx.Response], wrong: list[str]) -> dict[str, Any]:
    """The answer; nothing, and a line in `wrong`, where it is no 200."""
    began = time.monotonic()
    try:
        answer = await call
    except httpx.HTTPError as failure:
        wrong.append(f"{failure!r} after {time.monotonic() - began:.1f} s")
        return {}
    if answer.status_code != 200:
        wrong.append(f"{answer.status_code} after {time.monotonic() - began:.1f} s: {answer.text[:200]}")
        return {}
    return dict(answer.json())
