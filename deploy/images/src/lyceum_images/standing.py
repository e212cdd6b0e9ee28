"""Starts and stops the stack of the Compose file: its folder, passwords, ports and names."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lyceum_images import composing, databases, engine
from lyceum_images.errors import CommandFailed, ImagesError, NotBuilt, Unfit
from lyceum_images.found import images
from lyceum_images.parts import ADMIN_SECRET
from lyceum_local import durable
from lyceum_local.settings import Ports, StackSettings
from lyceum_tree import ROOT, services

UP_S, DOWN_S = 600.0, 300.0
PASSWORD_BYTES = 24
NOT_STARTED = ("reco-train",)
"""A job that somebody starts, no part of what runs."""


@dataclass(frozen=True)
class ComposeStack:
    """One stack in containers. Several with different projects, folders and ports can run side by side."""

    folder: Path
    """Of mode 0700: the passwords."""
    version: str
    project: str = composing.PROJECT
    ports: Ports = field(default_factory=Ports)
    opened: bool = False
    """Whether PostgreSQL and Kafka can be reached from this machine."""

    @property
    def public_url(self) -> str:
        """The gateway's URL for clients."""
        return f"http://127.0.0.1:{self.ports.gateway}"

    def up(self) -> None:
        """Start everything and wait until each process is healthy. Safe to repeat. Raises ImagesError."""
        self.require_images()
        self.make_secrets()
        wait = ("--wait", "--wait-timeout", f"{UP_S:.0f}")
        try:
            self.compose("up", "--detach", *wait, "--remove-orphans", within_s=UP_S + 60)
        except CommandFailed as failed:
            raise Unfit([*self.complaints(), failed.said.strip().splitlines()[-1]]) from failed

    def complaints(self) -> list[str]:
        """Each container that is not well, with the last lines that it wrote."""
        every = map(json.loads, self.compose("ps", "--all", "--format=json").splitlines())
        return [
            f"{one['Service']} is {one['Status']}:\n{self._last_of(one['Service'])}" for one in every if not _well(one)
        ]

    def _last_of(self, name: str) -> str:
        return self.compose("logs", "--no-log-prefix", "--tail=5", name)

    def down(self, *, discard: bool = False) -> None:
        """Stop everything; with `discard` its volumes go, too."""
        self.compose("down", *(["--volumes"] if discard else []), within_s=DOWN_S)

    def compose(self, *words: str, within_s: float = engine.COMMAND_S, given: str = "") -> str:
        """Runs `docker compose` on this stack and returns what it printed. Raises CommandFailed."""
        return engine.run([*self.command, *words], within_s=within_s, given=given, **self.variables)

    @property
    def command(self) -> Sequence[str]:
        """`docker compose` with the files and the project of this stack."""
        folder = ROOT / composing.FOLDER
        more = [f"--file={folder / 'compose.open.yaml'}"] if self.opened else []
        return ["docker", "compose", f"--project-name={self.project}", f"--file={folder / 'compose.yaml'}", *more]

    @property
    def variables(self) -> Mapping[str, str]:
        """What the Compose file asks for."""
        told = {f"LYCEUM_PORT_{name.upper()}": str(port) for name, port in self.ports.model_dump().items()}
        return told | {"LYCEUM_VERSION": self.version, "LYCEUM_SECRETS": str(self.folder)}

    def require_images(self) -> None:
        """Returns if every image is there. Raises NotBuilt."""
        wanted = [one.reference(self.version) for one in images().values() if one.name not in NOT_STARTED]
        if missing := [one for one in wanted if engine.inspected(one) is None]:
            raise NotBuilt(missing)

    def make_secrets(self) -> None:
        """Make the passwords that are missing. The folder keeps others out; the files in it can be read by the user of
        a container, into which they are mounted one by one."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._keep(ADMIN_SECRET, _password())
        for name in services():
            told = {"host": "postgres", "port": "5432", "dbname": databases.DATABASE, "user": name}
            lines = [f"[{name}]", *(f"{key}={value}" for key, value in told.items()), f"password={_password()}"]
            self._keep(databases.secret(name), "\n".join(lines) + "\n")

    def _keep(self, name: str, text: str) -> None:
        file = self.folder / name
        if not file.exists():
            fresh = file.with_suffix(".new")
            fresh.write_text(text, encoding="utf-8")
            fresh.chmod(0o644)
            durable.sync(fresh)
            durable.rename(fresh, file)

    def password_of(self, service: str) -> str:
        """The password of a service's role, or of the administrator for ADMIN_SECRET."""
        if service == ADMIN_SECRET:
            return (self.folder / ADMIN_SECRET).read_text(encoding="utf-8")
        text = (self.folder / databases.secret(service)).read_text(encoding="utf-8")
        return text.partition("password=")[2].strip()


def default(version: str) -> ComposeStack:
    """The stack of `make up CONTAINERS=1`: beside the data of `make up`, with the same ports."""
    require_compose()
    return ComposeStack(StackSettings().data_dir / "containers", version)


def require_compose() -> None:
    """Returns if Docker has Compose. Raises ImagesError."""
    try:
        engine.run(["docker", "compose", "version"])
    except CommandFailed as failed:
        raise ImagesError(
            "docker has no `compose`: install its plugin (docker-compose-v2, docker-compose-plugin)"
        ) from failed


def _well(told: Mapping[str, Any]) -> bool:
    """Whether a container is healthy, or a job that has ended well."""
    return told["Health"] == "healthy" or (told["State"], told["ExitCode"]) == ("exited", 0)


def _password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)
