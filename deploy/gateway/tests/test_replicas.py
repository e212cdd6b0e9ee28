"""Two servers of a service behind the gateway: one that is unwell, or fails, is passed over, and the other serves."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from edge_stand_in import AUDIENCE, ENVOY, ISSUER, READY_S
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from lyceum.identity.v1 import identity_pb2, identity_pb2_grpc
from lyceum_gateway import Gateway, render
from lyceum_gateway.limits import Limits
from lyceum_gateway.services import SERVICES
from lyceum_gateway.upstreams import CHECK_EVERY_S, OUTLIERS
from lyceum_local.ports import free_port

BODY = {"username": "a", "password": "b"}
KEY = identity_pb2.Jwk(kty="EC", crv="P-256", use="sig", alg="ES256", kid="one", x="A" * 43, y="A" * 43)
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
UNLIMITED = Limits(requests_per_client_per_s=10_000, credentials_per_client_per_min=100_000)
NOTICED_S = 2 * CHECK_EVERY_S + 1.0
FAILURES = int(str(OUTLIERS["consecutive_gateway_failure"]))
EJECTED_S = 30.0


@dataclass
class Replica(identity_pb2_grpc.IdentityServiceServicer):
    """Registers, or fails as it is told."""

    healthy: Any
    fails: grpc.StatusCode | None = None
    calls: int = 0

    async def Register(self, request: Any, context: Any) -> identity_pb2.RegisterResponse:
        self.calls += 1
        if self.fails:
            await context.abort(self.fails, "told to fail")
        return identity_pb2.RegisterResponse(message="registered")

    async def GetJwks(self, request: Any, context: Any) -> identity_pb2.GetJwksResponse:
        return identity_pb2.GetJwksResponse(keys=[KEY])

    async def says(self, status: int) -> None:
        await self.healthy.set("", status)


@dataclass
class Pair:
    """Two replicas behind a gateway."""

    client: httpx.AsyncClient
    first: Replica
    second: Replica

    async def register(self) -> int:
        return (await self.client.post("/register", json=BODY)).status_code

    async def both_are_asked(self) -> None:
        async with asyncio.timeout(READY_S):
            while not (self.first.calls and self.second.calls):
                await self.register()
        self.first.calls = self.second.calls = 0


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[tuple[Replica, int]]:
    healthy = health.aio.HealthServicer()
    replica = Replica(healthy)  # type: ignore[abstract]  # what is not here is never called
    server = grpc.aio.server()
    identity_pb2_grpc.add_IdentityServiceServicer_to_server(replica, server)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await replica.says(SERVING)
    await server.start()
    yield replica, port
    await server.stop(None)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with serving() as (first, one), serving() as (second, other):
        listener, admin = free_port(), free_port()
        targets = {name: [("127.0.0.1", one), ("127.0.0.1", other)] for name in SERVICES}
        config = tmp_path / "envoy.yaml"
        config.write_text(render(Gateway(targets, listener, admin, ISSUER, AUDIENCE, limits=UNLIMITED)))
        command = [str(ENVOY), "-c", str(config), "--use-dynamic-base-id", "-l", "error", "--concurrency", "1"]
        process = subprocess.Popen(command)  # noqa: ASYNC220 - starting it takes no time
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener}", timeout=30) as client:
                await ready(client)
                made = Pair(client, first, second)
                await made.both_are_asked()
                yield made
        finally:
            process.kill()
            process.wait()


async def ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(READY_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get("/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


async def within(seconds: float, pair: Pair, replica: Replica) -> None:
    """Calls go on until a stretch of 20 passes `replica` over; every one of them must succeed."""
    async with asyncio.timeout(seconds):
        quiet = 0
        while quiet < 20:
            before = replica.calls
            assert await pair.register() == 200
            quiet = quiet + 1 if replica.calls == before else 0
            await asyncio.sleep(0.02)


async def test_a_server_that_says_it_is_not_ready_is_passed_over_and_comes_back(pair: Pair) -> None:
    await pair.first.says(NOT_SERVING)
    await within(READY_S, pair, pair.first)
    await pair.first.says(SERVING)
    await pair.both_are_asked()


async def test_if_none_says_it_is_ready_all_are_asked(pair: Pair) -> None:
    """A relay that sends nothing makes every server say so; calls are answered all the same."""
    for one in (pair.first, pair.second):
        await one.says(NOT_SERVING)
    await asyncio.sleep(NOTICED_S)
    assert {await pair.register() for _ in range(20)} == {200}


async def test_a_server_that_fails_again_and_again_is_passed_over_though_it_says_it_is_well(pair: Pair) -> None:
    pair.first.fails = grpc.StatusCode.UNAVAILABLE
    failed = 0
    async with asyncio.timeout(EJECTED_S):
        while pair.first.calls < FAILURES:
            failed += await pair.register() != 200
        assert failed == FAILURES, "what a server has begun with is not tried elsewhere"
        while {await pair.register() for _ in range(4)} != {200}:
            failed += 1
    assert failed <= 2 * FAILURES, "it is passed over as soon as Envoy's main thread knows"
    assert {await pair.register() for _ in range(30)} == {200}


@pytest.mark.parametrize("name", ["INVALID_ARGUMENT", "INTERNAL", "ABORTED", "RESOURCE_EXHAUSTED"])
async def test_what_may_be_the_calls_own_fault_takes_no_server_away(pair: Pair, name: str) -> None:
    """Otherwise one client's bad calls would take a server from all others."""
    pair.first.fails = grpc.StatusCode[name]
    for _ in range(4 * FAILURES):
        await pair.register()
    assert pair.first.calls > FAILURES


async def test_when_all_fail_nobody_is_taken_away(pair: Pair) -> None:
    for one in (pair.first, pair.second):
        one.fails = grpc.StatusCode.UNAVAILABLE
    for _ in range(6 * FAILURES):
        assert await pair.register() == 503
    for one in (pair.first, pair.second):
        one.fails = None
    assert {await pair.register() for _ in range(20)} == {200}
