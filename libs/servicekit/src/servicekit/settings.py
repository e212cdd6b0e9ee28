"""Settings of a service process, read once from the environment into a typed object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import PrivateAttr
from pydantic_settings import BaseSettings, SettingsConfigDict

POOL_CONNECTIONS_COMMANDS = 6
POOL_CONNECTIONS_QUERIES = 4
POOL_CONNECTIONS_WORKER = 4
_TARGET = "_TARGET"


def _told_targets() -> dict[str, str]:
    """Every <SERVICE>_TARGET of the environment, by the service's name."""
    told = {name.upper(): value for name, value in os.environ.items()}
    return {name.removesuffix(_TARGET).lower(): value for name, value in told.items() if name.endswith(_TARGET)}


class ServiceSettings(BaseSettings):
    """What every service is told by its environment; services subclass it for what is theirs.

    The default profile is production: it refuses weak passwords and convenience outputs. `local` must be asked for.
    """

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    lyceum_profile: Literal["production", "local"] = "production"
    database_url: str
    kafka_bootstrap: str
    schema_registry_url: str = ""
    """Root of a Confluent-compatible registry; empty: values are framed by fingerprint."""
    topic_prefix: str = ""
    group_prefix: str = ""
    topic_partitions: int = 4
    topic_replication: int = 1
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 0
    metrics_port: int = 0
    relay_inline: bool = False
    drain_notice_s: float = 5.0
    """How long a server that is being stopped says that it is not ready and still serves, for those who route to it to
    notice: longer than they need."""
    fold_groups: str = ""
    """Of a worker: the names of the groups of folds that it runs, with commas between; empty: all of the service."""
    otel_exporter_otlp_endpoint: str = ""
    """`http://host:4317` of an OpenTelemetry collector; empty: no spans are recorded."""
    key_dir: Path
    jwt_issuer: str = "https://lyceum.local"
    jwt_audience: str = "lyceum"
    _targets: Mapping[str, str] = PrivateAttr(default_factory=_told_targets)

    @property
    def is_local(self) -> bool:
        """Whether this is a developer's machine."""
        return self.lyceum_profile == "local"

    def target(self, service: str) -> str:
        """host:port of a peer's gRPC server, as <SERVICE>_TARGET says it; empty where it is not told."""
        return self._targets.get(service, "")
