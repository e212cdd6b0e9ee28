"""The whole stack in containers: what `deploy/compose` describes, started by testcontainers.

Tests see it as they see the stack of processes. What it lacks (processes, metrics ports and key folders on this
machine) tests say they need by the marker `one_machine`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from testcontainers.compose import DockerCompose

from lyceum_images import composing, engine, parts
from lyceum_images.databases import DATABASE
from lyceum_images.standing import ComposeStack, require_compose
from lyceum_images.versions import built_version
from lyceum_local import postgres, services
from lyceum_local.ports import LOOPBACK
from lyceum_local.settings import Ports
from lyceum_local.stack import LocalStack
from lyceum_tree import ROOT, host

ASKED_FOR = os.environ.get("LYCEUM_STACK") == "containers"
"""Whether this run is to use containers."""
COMMAND_S = 120.0


class StackInContainers(LocalStack):
    """An instance whose parts are containers. Its PostgreSQL, Kafka, gateway and simulator are on loopback."""

    def __init__(self, folder: Path, made: ComposeStack) -> None:
        super().__init__(folder, made.ports)
        self.made = made

    @property
    def admin_url(self) -> str:
        """The URL of PostgreSQL's administrator."""
        return self._url(postgres.ADMIN, self.made.password_of(parts.ADMIN_SECRET), "postgres")

    @property
    def kafka_bootstrap(self) -> str:
        """host:port of the broker."""
        return f"{LOOPBACK}:{self.ports.kafka}"

    def database_url(self, service: str) -> str:
        """The URL of the role of `service`, which a job of the stack has made."""
        return self._url(service, self.made.password_of(service), DATABASE)

    def _url(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@{LOOPBACK}:{self.ports.postgres}/{database}"

    def known_environment(self, service: str) -> dict[str, str]:
        """The environment by which this machine reaches the stack; the keys of `service` are in its containers."""
        return services.environment(self.around, service, self.database_url(service))

    environment = known_environment

    def stop(self, name: str) -> None:
        """Stops one process until it is started again."""
        self._do("stop", name)

    def start(self, name: str) -> None:
        """Starts a process that was stopped; returns at once."""
        self._do("start", name)

    def restart(self, name: str) -> None:
        """Stops and starts one process; returns when it is healthy."""
        self._do("restart", name)
        self.made.compose("up", "--detach", "--wait", "--no-deps", "--no-recreate", container(name))

    def pause(self, name: str) -> None:
        """The process keeps its connections and does nothing."""
        self._do("pause", name)

    def resume(self, name: str) -> None:
        """Ends `pause`."""
        self._do("unpause", name)

    def _do(self, verb: str, name: str) -> None:
        """To the container itself: `docker compose start` would run the jobs that it depends on once more."""
        [found] = self.made.compose("ps", "--all", "--quiet", container(name)).split()
        engine.run(["docker", verb, found])

    def inside(self, service: str, words: Sequence[str]) -> Sequence[str]:
        """The command line that runs `python WORDS` in the container of a service's server. Its variables are
        `variables`."""
        return [*self.made.command, "exec", "--no-TTY", host(service), "python", *words]

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment of `docker compose` for this stack."""
        return {**os.environ, **self.made.variables}

    def logs(self, *names: str) -> bytes:
        """What processes have written, of all containers if none is named."""
        said = self.made.compose("logs", "--no-log-prefix", "--no-color", *map(container, names), within_s=COMMAND_S)
        return said.encode()


def container(process: str) -> str:
    """The name in the Compose file of a process of the local stack: a server has its service's name."""
    return host(process.removesuffix("-serve"))


@contextmanager
def started() -> Iterator[StackInContainers]:
    """A stack of its own on free ports, ready. Its containers and volumes go with the block."""
    engine.require_runner()
    require_compose()
    with TemporaryDirectory(prefix="lyceum-containers-") as name:
        folder = Path(name)
        project = f"lyceum-test-{os.getpid()}"
        made = ComposeStack(folder / "secrets", built_version(""), project, Ports.free(), opened=True)
        made.require_images()
        made.make_secrets()
        with _composed(made, folder / "variables"):
            yield StackInContainers(folder / "data", made)


def _composed(made: ComposeStack, variables: Path) -> DockerCompose:
    told = {**made.variables, "COMPOSE_PROJECT_NAME": made.project}
    variables.write_text("".join(f"{name}={value}\n" for name, value in told.items()), encoding="utf-8")
    return DockerCompose(
        ROOT / composing.FOLDER,
        compose_file_name=["compose.yaml", "compose.open.yaml"],
        env_file=str(variables),
    )
