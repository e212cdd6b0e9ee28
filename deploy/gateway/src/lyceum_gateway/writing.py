"""The files of a gateway: Envoy's configuration, and those that it refers to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lyceum_gateway import render
from lyceum_gateway.environment import gateway_of
from lyceum_gateway.upstream import secret_files


def write(environment: Mapping[str, str], file: Path) -> None:
    """Write the configuration that the environment describes to `file`, and the others beside it. Raises
    SettingMissing, SettingUnusable."""
    gateway = gateway_of(environment)
    secrets = secret_files(gateway.upstream_tls) if gateway.upstream_tls else {}
    for path, text in {file: render(gateway), **{file.with_name(name): text for name, text in secrets.items()}}.items():
        path.write_text(text, encoding="utf-8")


def write_here(environment: Mapping[str, str], file: Path) -> None:
    """The same where Envoy will run: it finds the other files beside `file`, unless the environment says otherwise."""
    write({"UPSTREAM_SECRETS_DIR": str(file.absolute().parent), **environment}, file)
