"""The settings of all processes, as the files from which kustomize makes ConfigMaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lyceum_k8s.edge import GATEWAY_DRAIN_S, GATEWAY_HTTP_PORT, GATEWAY_NOTICE_S, GATEWAY_PAGES_PORT, WEB_PORT, targets
from lyceum_k8s.facts import Facts
from lyceum_k8s.kafka import PARTITIONS, REPLICAS
from lyceum_k8s.objects import METRICS_PORT
from lyceum_k8s.postgres import name as database
from lyceum_k8s.workloads import DRAIN_NOTICE_S

EVERYWHERE = "0.0.0.0"  # noqa: S104 - a pod's own interfaces, which policies guard
PUBLIC = "https://api.example.org"
"""In the base only: every overlay says under which address it is reached."""


def common(services: Sequence[Facts]) -> Mapping[str, str]:
    """What all services and the gateway share."""
    return {
        "LYCEUM_PROFILE": "production",
        "PUBLIC_URL": PUBLIC,
        "JWT_ISSUER": PUBLIC,
        "JWT_AUDIENCE": "lyceum",
        "KAFKA_BOOTSTRAP": "lyceum-kafka-bootstrap:9092",
        "TOPIC_PARTITIONS": str(PARTITIONS),
        "TOPIC_REPLICATION": str(REPLICAS),
        "GRPC_HOST": EVERYWHERE,
        "DRAIN_NOTICE_S": str(DRAIN_NOTICE_S),
        **targets(services),
    }


def own(one: Facts) -> Mapping[str, str]:
    """What one service alone is told: where its database is, and its own settings with their defaults."""
    shared = common([])
    return {"DATABASE_HOST": f"{database(one.name)}-rw"} | {
        name: value for name, value in one.settings.items() if name not in shared
    }


def gateway() -> Mapping[str, str]:
    """What the gateway renders its configuration with."""
    return {
        "LISTENER_PORT": str(GATEWAY_HTTP_PORT),
        "PAGES_PORT": str(GATEWAY_PAGES_PORT),
        "METRICS_PORT": str(METRICS_PORT),
        "WEB_TARGET": f"web:{WEB_PORT}",
        "TRUSTED_HOPS": "0",
        "DRAIN_NOTICE_S": str(GATEWAY_NOTICE_S),
        "DRAIN_S": str(GATEWAY_DRAIN_S),
    }


def web() -> Mapping[str, str]:
    """What the pages are told."""
    return {"GATEWAY_URL": f"http://gateway-for-pages:{GATEWAY_PAGES_PORT}", "PUBLIC_URL": PUBLIC}


def file(settings: Mapping[str, str]) -> str:
    """The lines of an env file."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())
