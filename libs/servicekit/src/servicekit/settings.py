"""Settings of a service process, read once from the environment into a typed object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, PrivateAttr
from pydantic_settings import BaseSettings, SettingsConfigDict

from eventfold.certificates import Renewed
from eventfold.publish.brokers import Brokers

POOL_CONNECTIONS_COMMANDS = 6
POOL_CONNECTIONS_QUERIES = 4
POOL_CONNECTIONS_WORKER = 4
POOL_CONNECTIONS_FURTHER = 3
"""Of each of the two pools of a further role: its tasks are few, and no caller waits for them."""
_TARGET = "_TARGET"


def _told_targets() -> dict[str, str]:
    """Every <SERVICE>_TARGET in the environment, by the service's name."""
    told = {name.upper(): value for name, value in os.environ.items()}
    return {name.removesuffix(_TARGET).lower(): value for name, value in told.items() if name.endswith(_TARGET)}


class ServiceSettings(BaseSettings):
    """The settings of every service; services subclass it for their own.

    The default profile is production: it refuses weak passwords and convenience outputs. `local` must be requested.
    """

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    lyceum_profile: Literal["production", "local"] = "production"
    database_url: str
    kafka_bootstrap: str
    kafka_tls_dir: str = ""
    """A folder with `tls.crt`, `tls.key` and `ca.crt`. If set, Kafka is reached over mutual TLS; if empty, in plain
    text."""
    schema_registry_url: str = ""
    """Root of a Confluent-compatible registry. If empty, values are framed by fingerprint."""
    topic_prefix: str = ""
    group_prefix: str = ""
    topic_partitions: int = 4
    topic_replication: int = 1
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 0
    metrics_port: int = 0
    health_port: int = 0
    """If above 0, every role serves plaintext grpc.health.v1 there and nothing else (see `servicekit.health`)."""
    tls_dir: str = ""
    """A folder with `tls.crt`, `tls.key` and `ca.crt`. If set, gRPC is served to clients with a certificate of `ca.crt`
    alone, and other services are reached over mutual TLS; if empty, all is plain text."""
    relay_inline: bool = False
    drain_notice_s: float = 5.0
    """How long a server that is being stopped reports "not ready" and still serves. Must be longer than routers need to
    notice."""
    member_calls_per_s: float = Field(20.0, gt=0)
    """Calls that one member may make of one process for any length of time; five seconds' worth may come at once."""
    fold_groups: str = ""
    """For a worker: the names of the groups of folds that it runs, separated by commas. If empty, all groups of the
    service."""
    group_instance_id: str = ""
    """For a worker: its own name in its consumer group, kept over restarts, as a StatefulSet's pod has one. It may then
    be away for `group_away_s` before its partitions go to others. If empty, they go within 7 s."""
    group_away_s: float = Field(45.0, ge=7.0, le=300.0)
    otel_exporter_otlp_endpoint: str = ""
    """`http://host:4317` of an OpenTelemetry collector. If empty, no spans are recorded."""
    key_dir: Path
    jwt_issuer: str = "https://lyceum.local"
    jwt_audience: str = "lyceum"
    _targets: Mapping[str, str] = PrivateAttr(default_factory=_told_targets)

    @property
    def is_local(self) -> bool:
        """Whether this is a developer's machine."""
        return self.lyceum_profile == "local"

    @cached_property
    def brokers(self) -> Brokers:
        """Kafka's address, with the certificate for it. Raises `CertificateUnusable` when it is first asked for."""
        return Brokers.at(self.kafka_bootstrap, self.kafka_tls_dir)

    @cached_property
    def tls(self) -> Renewed | None:
        """This process's certificate for gRPC; None for plain text. Raises `CertificateUnusable` at first."""
        return Renewed(Path(self.tls_dir)) if self.tls_dir else None

    def check_certificates(self) -> None:
        """Raise `CertificateUnusable` if a folder that is set holds no usable certificate."""
        _ = self.tls, self.brokers

    def target(self, service: str) -> str:
        """host:port of another service's gRPC server, from <SERVICE>_TARGET; empty if it is not set."""
        return self._targets.get(service, "")
