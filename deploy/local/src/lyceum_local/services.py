"""The environment of a service's processes, and the processes of a service."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lyceum_local.authority import Authority
from lyceum_local.ports import LOOPBACK
from lyceum_local.program import Program
from lyceum_local.settings import FURTHER, SERVICES, Ports
from lyceum_tree import services

AUDIENCE = "lyceum"
TLS = "tls"
"""The folder of the certificates in the data folder."""
DRAIN_NOTICE_S = "0.5"
"""Only the one gateway of this machine has to notice, and it tries again by itself."""
MEMBER_CALLS_PER_S = "10000"
"""Imports, load and tests make the calls of thousands of members under a few names."""


@dataclass(frozen=True)
class Surroundings:
    """The settings that all services of one instance share."""

    data_dir: Path
    ports: Ports
    prefix: str
    kafka_bootstrap: str
    tls: bool = False
    """Whether services and gateway speak mutual TLS."""
    kafka_tls: bool = False
    """Whether Kafka does; not if it is a given one."""

    @property
    def public_url(self) -> str:
        """The gateway's URL for clients; also the issuer of its tokens."""
        return f"http://{LOOPBACK}:{self.ports.gateway}"

    def addresses(self, service: str) -> list[tuple[str, int]]:
        """Where the servers of `service` are, for the gateway."""
        return [(LOOPBACK, self.ports.of(service))]

    def key_dir(self, owner: str) -> Path:
        """The folder, of mode 0700, for the keys that `owner` makes for itself."""
        folder = self.data_dir / "keys" / owner
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def tls_dir(self, owner: str) -> Path | None:
        """The folder with the certificate of `owner`, made or renewed if needed; None without TLS."""
        return (
            Authority(self.data_dir / TLS / "authority").ensure(self.data_dir / TLS / owner, owner)
            if self.tls
            else None
        )


def environment(around: Surroundings, service: str, database_url: str) -> dict[str, str]:
    """The environment of `service` without METRICS_PORT, which differs for each of its processes."""
    targets = {f"{peer.upper()}_TARGET": f"{LOOPBACK}:{around.ports.of(peer)}" for peer in SERVICES}
    return targets | {
        "LYCEUM_PROFILE": "local",
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP": around.kafka_bootstrap,
        "TOPIC_PREFIX": around.prefix,
        "GROUP_PREFIX": around.prefix,
        "GRPC_HOST": LOOPBACK,
        "GRPC_PORT": str(around.ports.of(service)),
        "RELAY_INLINE": "true",
        "DRAIN_NOTICE_S": DRAIN_NOTICE_S,
        "MEMBER_CALLS_PER_S": MEMBER_CALLS_PER_S,
        "KEY_DIR": str(around.key_dir(service)),
        "JWT_ISSUER": around.public_url,
        "JWT_AUDIENCE": AUDIENCE,
        "WEBHOOKS_ALLOW_LOCAL": "true",
        "PAYMENT_SIMULATOR_URL": f"http://{LOOPBACK}:{around.ports.simulator}",
        **_keys_of_others(around, service),
        **_certificates(around, service),
        "PUBLIC_URL": around.public_url,
        "PYTHONUNBUFFERED": "1",
    }


def _certificates(around: Surroundings, service: str) -> dict[str, str]:
    """One certificate for all that a service does. Without TLS the variables are there and empty, so that they are
    those of the stack, not of the user's shell."""
    folder = str(around.tls_dir(service) or "")
    return {"TLS_DIR": folder, "KAFKA_TLS_DIR": folder if around.kafka_tls else ""}


def _keys_of_others(around: Surroundings, service: str) -> dict[str, str]:
    """The key folders of others that the service asks for; no other service gets them."""
    return {variable: str(around.key_dir(owner)) for variable, owner in services()[service].keys_of.items()}


def program(around: Surroundings, service: str, role: str, variables: Mapping[str, str]) -> Program:
    """The process of `service` in the role `serve`, `work` or a further one, called as `process_name` says."""
    metrics = str(around.ports.of(f"{service}_{role}_metrics"))
    command = (sys.executable, "-m", service, role)
    return Program(process_name(service, role), command, {**variables, "METRICS_PORT": metrics})


def process_name(service: str, role: str) -> str:
    """`<service>-<role>`: the name of the process for the supervisor, for logs and for commands."""
    return f"{service}-{role}"


def processes_of(service: str) -> list[str]:
    """The names of all processes of `service`: its server, its worker, its further roles."""
    return [process_name(service, role) for role in ("serve", "work", *FURTHER[service])]


def simulator_environment(around: Surroundings) -> dict[str, str]:
    """The environment of the payment simulator."""
    return {
        "SIMULATOR_HOST": LOOPBACK,
        "SIMULATOR_PORT": str(around.ports.simulator),
        "CALLBACK_URL": around.public_url,
        "PUBLIC_URL": around.public_url,
        "KEY_DIR": str(around.key_dir("simulator")),
        "DATA_DIR": str(around.data_dir / "simulator"),
        "LYCEUM_PROFILE": "local",
        "PYTHONUNBUFFERED": "1",
    }
