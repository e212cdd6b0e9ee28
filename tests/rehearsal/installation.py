"""Processes of two versions over one database, one Kafka and two gateways: each can be of either version."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from replicas import Replica, ended, gateway_before

from lyceum_local.ports import LOOPBACK, free_block
from lyceum_local.program import Program
from lyceum_local.settings import FURTHER, SERVICES, Ports
from lyceum_local.stack import LocalStack
from servicekit import probe
from tests.rehearsal.versions import Version

PREPARE_WITHIN_S = 300


class Installation:
    """One of each process, of whatever version; `replace` puts another in its place as a platform does."""

    def __init__(self, stack: LocalStack, folder: Path, running: ExitStack) -> None:
        self._stack = stack
        self._folder = folder
        self._running = running
        self._at: dict[tuple[str, str], Replica] = {}
        self._next: dict[str, int] = dict.fromkeys(SERVICES, 0)
        self.addresses = {name: [(LOOPBACK, free_block(1)) for _ in range(2)] for name in SERVICES}
        self.gateways: list[tuple[Replica, str]] = []

    def prepare(self, version: Version) -> None:
        """Migrate every database and check the topics, as the jobs before a roll-out do."""
        for name in filter(version.has, SERVICES):
            subprocess.run(
                [version.python, "-m", name, "prepare"],
                env=self._stack.environment(name),
                check=True,
                capture_output=True,
                timeout=PREPARE_WITHIN_S,
            )

    def start_all(self, version: Version) -> None:
        """Everything of this version; returns when all of it is ready."""
        for one in [self._start(version, *process) for process in self.processes() if version.has(process[0])]:
            one.ready()
        for _ in range(2):
            made = self._running.enter_context(gateway_before(self._stack, self._folder, self.addresses))
            made[0].ready()
            self.gateways.append(made)

    @staticmethod
    def processes() -> list[tuple[str, str]]:
        """Every process of every service in the order in which they are replaced: those who read events first."""
        kinds = ("work", "further", "serve")
        return [(name, role) for kind in kinds for name in SERVICES for role in roles(name, kind)]

    def replace(self, version: Version, service: str, role: str) -> None:
        """Servers: the next is ready before the last one goes. Workers: the last one goes, and the next takes its
        name, as in a StatefulSet. What the last version did not have begins; what the next does not have goes on."""
        last = self._at.get((service, role))
        if not version.has(service):
            return
        if last is None:
            self._start(version, service, role).ready()
        elif role == "serve":
            self._start(version, service, role).ready()
            last.stop()
        else:
            last.stop()
            self._start(version, service, role).ready()

    def database_url(self, service: str) -> str:
        """The address of a service's database."""
        return self._stack.database_url(service)

    def restart_gateways(self) -> None:
        """One after the other."""
        for one, _ in self.gateways:
            one.restart()

    def _start(self, version: Version, service: str, role: str) -> Replica:
        metrics = free_block(1)
        variables = self._stack.environment(service) | self._targets() | {"METRICS_PORT": str(metrics)}
        if role == "serve":
            _, port = self.addresses[service][self._next[service] % 2]
            self._next[service] += 1
            variables |= {"GRPC_PORT": str(port), "DRAIN_NOTICE_S": "5"}
            complaint = partial(probe.grpc_complaint, LOOPBACK, port)
        else:
            variables |= {"GRPC_PORT": "0", "GROUP_INSTANCE_ID": f"{service}-{role}-0"}
            complaint = partial(probe.metrics_complaint, LOOPBACK, metrics)
        program = Program(f"{service}-{role} ({version.name})", (version.python, "-m", service, role), variables)
        made = self._running.enter_context(ended(Replica(program, complaint, self._folder / f"{service}-{role}.log")))
        self._at[service, role] = made
        return made

    def _targets(self) -> dict[str, str]:
        """Peers are asked through a name with both addresses; on one machine, at both in turn, by the first that is
        there."""
        spelt = {name: ",".join(f"{host}:{port}" for host, port in found) for name, found in self.addresses.items()}
        return {f"{name.upper()}_TARGET": f"ipv4:{both}" for name, both in spelt.items()}


def roles(service: str, kind: str) -> list[str]:
    """The roles of a service of one kind."""
    return list(FURTHER[service]) if kind == "further" else [kind]


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    """PostgreSQL and Kafka in `folder`, and nothing else yet."""
    stack = LocalStack(folder / "stack", Ports.free())
    try:
        stack.start_backing()
        with ExitStack() as running:
            yield Installation(stack, folder, running)
    finally:
        stack.down()
