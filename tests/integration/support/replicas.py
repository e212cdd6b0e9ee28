"""Second replicas of servers and workers, and gateways before both, beside a stack that has one of each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx

from lyceum_gateway import render
from lyceum_gateway.upstreams import CHECK_EVERY_S, CHECK_WITHIN_S
from lyceum_local import gateway, health
from lyceum_local.ports import LOOPBACK, free_block
from lyceum_local.program import Program
from lyceum_local.settings import SERVICES
from lyceum_local.stack import LocalStack
from lyceum_local.waiting import poll
from servicekit import probe

READY_S, END_S = 60.0, 60.0
LOOK_EVERY_S = 1.0
NOTICE_S = CHECK_EVERY_S + CHECK_WITHIN_S + 1.0
"""A gateway has seen by then that a server is not ready, so that no new connection to it is made when it ends: such a
one may be cut with a request on it, which nobody may ask again. The stack's own servers are alone and say it for less
long."""


class Replica:
    """A process of the test's own that is ended as a platform ends it."""

    def __init__(self, program: Program, complaint: Callable[[], str | None], log: Path | None = None) -> None:
        self.name = f"{program.name} of the test's own"
        self._log = log
        self._program, self._complaint = program, complaint
        self.start()

    def start(self) -> None:
        """Returns at once."""
        variables = {**os.environ, **self._program.environment}
        with (self._log or Path(os.devnull)).open("ab") as out:
            said = out if self._log else None
            self._process = subprocess.Popen(self._program.command, env=variables, stdout=out, stderr=said)

    def ready(self) -> None:
        """Wait for it."""
        assert (complaint := poll(self._complaint, READY_S)) is None, f"{self.name}: {complaint}"

    def stop(self) -> None:
        """SIGTERM, and wait until it has ended by itself; nothing if it has."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(END_S)

    def restart(self) -> None:
        """The same, and wait until another is ready."""
        self.stop()
        self.start()
        self.ready()


@contextmanager
def beside(stack: LocalStack, service: str, role: str, port: int = 0) -> Iterator[Replica]:
    """A process of `service` as `serve` (on this port) or `work`, beside or in the place of the stack's own."""
    metrics = free_block(1)
    own = {"METRICS_PORT": str(metrics), "GRPC_PORT": str(port), "DRAIN_NOTICE_S": str(NOTICE_S)}
    variables = stack.environment(service) | own
    complaint = {
        "serve": partial(probe.grpc_complaint, LOOPBACK, port),
        "work": partial(probe.metrics_complaint, LOOPBACK, metrics),
    }[role]
    program = Program(f"{service}-{role}", (sys.executable, "-m", service, role), variables)
    with ended(Replica(program, complaint)) as replica:
        yield replica


@contextmanager
def before_both(stack: LocalStack, folder: Path, serving: Mapping[str, int]) -> Iterator[tuple[Replica, str]]:
    """A gateway that knows two addresses of each service in `serving`, and its URL."""
    addresses = {service: stack.around.addresses(service) for service in SERVICES}
    both = {service: [*addresses[service], (LOOPBACK, port)] for service, port in serving.items()}
    with gateway_before(stack, folder, addresses | both) as made:
        yield made


@contextmanager
def gateway_before(
    stack: LocalStack, folder: Path, addresses: Mapping[str, Sequence[tuple[str, int]]]
) -> Iterator[tuple[Replica, str]]:
    """A gateway beside that of the stack, before servers at these addresses, and its URL. It takes tokens of the
    stack's own issuer."""
    port, admin = (free_block(1) for _ in range(2))
    own = gateway.configuration(stack.around)
    changed = replace(own, targets=addresses, listener_port=port, admin_port=admin, pages=None)
    config = folder / f"envoy-{port}.yaml"
    config.write_text(render(changed))
    made = gateway.program(stack.around)
    command = [str(config) if word.endswith("envoy.yaml") else word for word in made.command]
    command[command.index("--admin") + 1] = f"{LOOPBACK}:{admin}"
    program = Program("gateway", tuple(command), {**made.environment, "DRAIN_NOTICE_S": str(NOTICE_S)})
    complaint = partial(health.http_complaint, f"http://{LOOPBACK}:{port}/ready")
    with ended(Replica(program, complaint, config.with_suffix(".log"))) as replica:
        yield replica, f"http://{LOOPBACK}:{port}"


@contextmanager
def ended(replica: Replica) -> Iterator[Replica]:
    try:
        yield replica
    finally:
        replica.stop()


class Balancer(httpx.AsyncBaseTransport):
    """What stands before several gateways: it looks which of them say that they are ready, as a platform does, and a
    connection that one does not take goes to the next."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = [httpx.URL(url) for url in urls]
        self._transport = httpx.AsyncHTTPTransport()
        self._seen: dict[httpx.URL, tuple[float, bool]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises ConnectError where none takes it, and whatever becomes of one that took it."""
        refusal: httpx.ConnectError | None = None
        for url in self._urls:
            if not await self._ready(url):
                continue
            request.url = request.url.copy_with(port=url.port)
            try:
                return await self._transport.handle_async_request(request)
            except httpx.ConnectError as refused:
                refusal = refused
        raise refusal or httpx.ConnectError("there is no gateway")

    async def _ready(self, url: httpx.URL) -> bool:
        """As of the last look, which is repeated well within a gateway's notice."""
        looked_at, ready = self._seen.get(url, (float("-inf"), False))
        if time.monotonic() - looked_at > LOOK_EVERY_S:
            ready = await self._says_ready(url)
            self._seen[url] = (time.monotonic(), ready)
        return ready

    async def _says_ready(self, url: httpx.URL) -> bool:
        try:
            answer = await self._transport.handle_async_request(httpx.Request("GET", url.join("/ready")))
            await answer.aread()
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    async def aclose(self) -> None:
        await self._transport.aclose()
