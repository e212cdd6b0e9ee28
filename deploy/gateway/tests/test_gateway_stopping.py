"""A gateway that is stopped cuts no request, and what no server has begun with is tried again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from lyceum.identity.v1 import identity_pb2, identity_pb2_grpc
from lyceum_gateway import Gateway, render
from lyceum_gateway.services import SERVICES

ENVOY = Path(sysconfig.get_path("scripts")) / "envoy"
REQUESTS, DEADLINE_S = 20, 30.0
BODY = {"username": "a", "password": "b"}
NOT_TAKEN = (("x-lyceum-not-taken", "true"),)


@dataclass
class Identity(identity_pb2_grpc.IdentityServiceServicer):
    """Holds registrations back until `go_on`, after it has refused as many as it is told."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    calls: int = 0
    refusals: int = 0
    refusal: tuple[tuple[str, str], ...] = NOT_TAKEN

    async def Register(self, request: Any, context: Any) -> identity_pb2.RegisterResponse:
        self.calls += 1
        self.asked.release()
        if self.calls <= self.refusals:
            context.set_trailing_metadata(self.refusal)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "stopping")
        await self.go_on.wait()
        return identity_pb2.RegisterResponse(message="registered")


def answering(**told: Any) -> Identity:
    return Identity(**told)  # type: ignore[abstract]  # what is not here is never called


@dataclass
class Running:
    """A gateway under its wrapper, and the port where identity is looked for."""

    process: subprocess.Popen[bytes]
    client: httpx.AsyncClient
    identity_port: int

    async def register(self) -> int:
        return (await self.client.post("/register", json=BODY)).status_code

    async def ready(self) -> int:
        return (await self.client.get("/ready")).status_code


@contextlib.asynccontextmanager
async def serving(identity: Identity, port: int) -> AsyncIterator[None]:
    server = grpc.aio.server()
    identity_pb2_grpc.add_IdentityServiceServicer_to_server(identity, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    yield
    await server.stop(None)


@pytest.fixture
async def gateway(
    tmp_path: Path, unused_tcp_port_factory: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    monkeypatch.setenv("DRAIN_NOTICE_S", "0.5")
    listener, admin, port = (unused_tcp_port_factory() for _ in range(3))
    config = tmp_path / "envoy.yaml"
    config.write_text(render(Gateway({name: [("127.0.0.1", port)] for name in SERVICES}, listener, admin, "i", "a")))
    envoy = [str(ENVOY), "-c", str(config), "--use-dynamic-base-id", "-l", "error"]
    command = [sys.executable, "-m", "lyceum_gateway.running", "--admin", f"127.0.0.1:{admin}", "--", *envoy]
    process = subprocess.Popen(command)  # noqa: ASYNC220 - starting it takes no time
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener}", timeout=DEADLINE_S) as client:
        running = Running(process, client, port)
        await eventually(running.ready, 200)
        yield running
    process.terminate()
    process.wait(DEADLINE_S)


async def eventually(ask: Callable[[], Any], wanted: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if await ask() == wanted:
                    return
            await asyncio.sleep(0.02)


async def test_requests_in_flight_at_its_end_are_answered(gateway: Running) -> None:
    identity = answering()
    async with serving(identity, gateway.identity_port):
        asking = [asyncio.create_task(gateway.register()) for _ in range(REQUESTS)]
        for _ in asking:
            await asyncio.wait_for(identity.asked.acquire(), DEADLINE_S)
        gateway.process.send_signal(signal.SIGTERM)
        await eventually(gateway.ready, 503)
        late = asyncio.create_task(gateway.register())  # whoever has not noticed yet is served
        await asyncio.wait_for(identity.asked.acquire(), DEADLINE_S)
        identity.go_on.set()
        assert await asyncio.gather(late, *asking) == [200] * (REQUESTS + 1)
        assert await asyncio.to_thread(gateway.process.wait, DEADLINE_S) == 0


async def test_a_gateway_that_is_killed_leaves_nothing_behind(gateway: Running) -> None:
    gateway.process.kill()
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await gateway.client.get("/ready")
            except httpx.ConnectError:
                return
            except httpx.TransportError:
                continue  # an answer that was cut


async def test_it_ends_as_its_envoy_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lyceum_gateway.running", "--admin", "127.0.0.1:1", "--", str(ENVOY), "--no-such"]
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
    assert await asyncio.wait_for(process.wait(), DEADLINE_S) != 0


async def test_a_server_that_refuses_because_it_stops_is_not_the_last_word(gateway: Running) -> None:
    identity = answering(refusals=2)
    identity.go_on.set()
    async with serving(identity, gateway.identity_port):
        assert await gateway.register() == 200 and identity.calls == 3


async def test_what_a_server_had_begun_with_is_never_asked_twice(gateway: Running) -> None:
    identity = answering(refusals=1, refusal=())
    async with serving(identity, gateway.identity_port):
        assert await gateway.register() == 503 and identity.calls == 1


async def test_a_server_that_is_started_again_is_waited_for(gateway: Running) -> None:
    identity = answering()
    identity.go_on.set()
    asking = [asyncio.create_task(gateway.register()) for _ in range(REQUESTS)]
    done, _ = await asyncio.wait(asking, timeout=0.7)
    assert not done
    async with serving(identity, gateway.identity_port):
        assert await asyncio.gather(*asking) == [200] * REQUESTS
