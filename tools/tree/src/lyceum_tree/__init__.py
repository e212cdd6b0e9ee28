"""The services of the tree: each is a folder of `services/`, and describes itself in its pyproject.toml.

No other file lists the services. Facts that the tree shows are not repeated there: slices are folders, served RPCs are
in the protos, emitted events in the schemas.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4]
PORTS = ("serve", "serve_metrics", "work_metrics")
"""The ports that every service has: gRPC, and the metrics of its server and its worker."""
_METRICS = "_metrics"
_OF_A_ROLE = re.compile(rf"[a-z][a-z0-9]*(_[a-z0-9]+)*{_METRICS}")
_PACKAGES = ("libs", "services", "clients", "tools", "deploy")
_SERVICE = re.compile(r"^service (\w+)", re.MULTILINE)


class Untold(Exception):
    """A service's pyproject.toml lacks a required entry."""

    def __init__(self, name: str, missing: str) -> None:
        super().__init__(f"services/{name}/pyproject.toml does not tell {missing}: see that of another service")
        self.name = name


class NoSuchPort(Exception):
    """A service's pyproject.toml tells a port that no process of a service has."""

    def __init__(self, name: str, kinds: Sequence[str]) -> None:
        super().__init__(
            f"services/{name}/pyproject.toml tells ports that no process has: {', '.join(kinds)}; the metrics of a "
            f"further role are <role>{_METRICS}, in snake_case"
        )
        self.name = name


@dataclass(frozen=True)
class Service:
    """A service's own description: what it owns and serves, in a line each, and its ports on one machine.

    `keys_of` maps environment variables to other parts: on one machine, each variable holds the key folder of its part.
    `calls_out` says whom outside of Lyceum its server calls; empty if nobody. `roles_call_out` says the same of its
    further roles, by role; those that are not in it call nobody.
    """

    name: str
    owns: str
    serves: str
    ports: Mapping[str, int]
    keys_of: Mapping[str, str]
    calls_out: str = ""
    roles_call_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def named_ports(self) -> dict[str, int]:
        """Its ports by their names in the local stack's settings; the server's port has the service's name."""
        return {self.name if kind == "serve" else f"{self.name}_{kind}": port for kind, port in self.ports.items()}

    @property
    def further(self) -> tuple[str, ...]:
        """Its further roles, in the order in which their ports are told: processes beside the server and the worker."""
        return tuple(kind.removesuffix(_METRICS) for kind in self.ports if kind not in PORTS)


def host(name: str) -> str:
    """A name of the code, a service's or a role's, as hosts and objects of Kubernetes bear it: without underscores."""
    return name.replace("_", "-")


@cache
def services(root: Path = ROOT) -> Mapping[str, Service]:
    """Every service by name, in the order of their ports. Raises `Untold` and `NoSuchPort`."""
    found = [_service(file) for file in (root / "services").glob("*/pyproject.toml")]
    return {one.name: one for one in sorted(found, key=lambda one: one.ports["serve"])}


def _service(file: Path) -> Service:
    told: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("lyceum", {})
    name, ports = file.parent.name, told.get("ports", {})
    missing = [f"[tool.lyceum] {key}" for key in ("owns", "serves") if key not in told]
    missing += [f"[tool.lyceum.ports] {kind}" for kind in PORTS if kind not in ports]
    if missing:
        raise Untold(name, ", ".join(missing))
    if wrong := [kind for kind in ports if kind not in PORTS and not _OF_A_ROLE.fullmatch(kind)]:
        raise NoSuchPort(name, wrong)
    if strange := [role for role in told.get("roles_call_out", {}) if f"{role}{_METRICS}" not in ports]:
        raise Untold(name, f"[tool.lyceum.ports] {strange[0]}{_METRICS}, whose role calls out")
    return Service(
        name=name,
        owns=told["owns"],
        serves=told["serves"],
        ports=ports,
        keys_of=told.get("keys_of", {}),
        calls_out=told.get("calls_out", ""),
        roles_call_out=told.get("roles_call_out", {}),
    )


def slices(root: Path = ROOT) -> list[str]:
    """The packages of all slices: folders of a service with a `slice.py`."""
    files = (root / "services").glob("*/src/*/*/slice.py")
    return sorted(f"{file.parents[1].name}.{file.parent.name}" for file in files)


def served(name: str, root: Path = ROOT) -> list[str]:
    """The full names of the gRPC services that a service's protos describe."""
    protos = sorted((root / "schemas" / "proto" / "lyceum" / name).glob("v*/*.proto"))
    return [
        f"lyceum.{name}.{file.parent.name}.{found}"
        for file in protos
        for found in _SERVICE.findall(file.read_text(encoding="utf-8"))
    ]


def sources(root: Path = ROOT) -> list[str]:
    """Every folder with packages, relative to the root of the tree: sources, and code shared by tests."""
    return sorted(_below(root, "src") + shared_by_tests(root))


def shared_by_tests(root: Path = ROOT) -> list[str]:
    """The folders of code shared by tests, relative to the root of the tree."""
    return [*_below(root, "tests/support"), "tests/integration/support"]


def _below(root: Path, folder: str) -> list[str]:
    found = (path for package in _PACKAGES for path in (root / package).glob(f"*/{folder}"))
    return sorted(str(path.relative_to(root)) for path in found if any(path.rglob("*.py")))
