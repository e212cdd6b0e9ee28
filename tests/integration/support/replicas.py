"""Second replicas of servers and workers, and gateways before both, beside a stack that has one of each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from lyceum_gateway import render
from lyceum_local import gateway, health
from lyceum_local.ports import LOOPBACK, free_block
from lyceum_local.program import Program
from lyceum_local.settings import SERVICES
from lyceum_local.stack import LocalStack
from lyceum_local.waiting import poll
from servicekit import probe

READY_S, END_S = 60.0, 60.0


class Replica:
    """A process of the test's own that is ended as a platform ends it."""

    def __init__(self, program: Program, complaint: Callable[[], str | None]) -> None:
        self.name = f"{program.name} beside the first"
        self._program, self._complaint = program, complaint
        self.start()

    def start(self) -> None:
        """Returns at once."""
        variables = {**os.environ, **self._program.environment}
        self._process = subprocess.Popen(self._program.command, env=variables, stdout=subprocess.DEVNULL)

    def ready(self) -> None:
        """Wait for it."""
        assert (complaint := poll(self._complaint, READY_S)) is None, f"{self.name}: {complaint}"

    def stop(self) -> None:
        """SIGTERM, and wait until it has ended by itself."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(END_S)

    def restart(self) -> None:
        """The same, and wait until another is ready."""
        self.stop()
        self.start()
        self.ready()


@contextmanager
def second(stack: LocalStack, service: str, role: str, serving: Mapping[str, int]) -> Iterator[Replica]:
    """Another process of `service` as `serve` (on its port in `serving`) or `work`."""
    metrics = free_block(1)
    variables = stack.environment(service) | {"METRICS_PORT": str(metrics), "GRPC_PORT": str(serving[service])}
    complaint = {
        "serve": partial(probe.grpc_complaint, LOOPBACK, serving[service]),
        "work": partial(probe.metrics_complaint, LOOPBACK, metrics),
    }[role]
    program = Program(f"{service}-{role}", (sys.executable, "-m", service, role), variables)
    with _ended(Replica(program, complaint)) as replica:
        yield replica


@contextmanager
def before_both(stack: LocalStack, folder: Path, serving: Mapping[str, int]) -> Iterator[tuple[Replica, str]]:
    """A gateway that knows two addresses of each service in `serving`, and its URL."""
    port, admin = (free_block(1) for _ in range(2))
    own = gateway.configuration(stack.around)
    text = render(
        type(own)(own.targets, listener_port=port, admin_port=admin, issuer=own.issuer, audience=own.audience)
    )
    for service in SERVICES:
        first = _endpoint(stack.ports.of(service))
        if service in serving:
            assert json.dumps([first]) in text
            text = text.replace(json.dumps([first]), json.dumps([first, _endpoint(serving[service])]))
    config = folder / f"envoy-{port}.yaml"
    config.write_text(text)
    made = gateway.program(stack.around)
    command = [str(config) if word.endswith("envoy.yaml") else word for word in made.command]
    command[command.index("--admin") + 1] = f"{LOOPBACK}:{admin}"
    program = Program("gateway", tuple(command), made.environment)
    complaint = partial(health.http_complaint, f"http://{LOOPBACK}:{port}/ready")
    with _ended(Replica(program, complaint)) as replica:
        yield replica, f"http://{LOOPBACK}:{port}"


def _endpoint(port: int) -> dict[str, object]:
    return {"endpoint": {"address": {"socket_address": {"address": LOOPBACK, "port_value": port}}}}


@contextmanager
def _ended(replica: Replica) -> Iterator[Replica]:
    try:
        yield replica
    finally:
        replica.stop()


class Balancer(httpx.AsyncBaseTransport):
    """What stands before several gateways: a connection that one does not take goes to the next."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = [httpx.URL(url) for url in urls]
        self._transport = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises ConnectError where none takes it, and whatever becomes of one that took it."""
        refusal: httpx.ConnectError | None = None
        for url in self._urls:
            request.url = request.url.copy_with(port=url.port)
            try:
                return await self._transport.handle_async_request(request)
            except httpx.ConnectError as refused:
                refusal = refused
        raise refusal or httpx.ConnectError("there is no gateway")

    async def aclose(self) -> None:
        await self._transport.aclose()
