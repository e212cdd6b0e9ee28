"""The parts of the Compose file beside the services: servers of others, the gateway, the pages, the simulator."""

from __future__ import annotations

from typing import Any

from lyceum_images.confined import CONFINED, LASTING, limits
from lyceum_images.databases import secret
from lyceum_images.processes import (
    GRPC_PORT,
    KEYS,
    PUBLIC_URL,
    SIMULATOR,
    STOP_S,
    image,
)
from lyceum_local import containers, postgres
from lyceum_local.gateway import LIMITS
from lyceum_local.services import AUDIENCE, DRAIN_NOTICE_S
from lyceum_local.settings import StackSettings
from lyceum_tree import host, services

ADMIN_SECRET = "postgres_admin"  # noqa: S105 - a name
SCRIPT = "databases.sql"
PAGES_PORT = 8081
DRAIN_S = 15
OPEN_KAFKA_PORT = 9094
_DEFAULTS = StackSettings.model_fields
_IS_READY = ("pg_isready", "-h", "127.0.0.1", "-U", postgres.ADMIN, "-d", "postgres")
_PROBE = {"interval": "5s", "timeout": "5s", "retries": 12, "start_period": "60s"}


def postgres_server() -> dict[str, Any]:
    """PostgreSQL. The public image starts as root and becomes a user of its own, for which it needs capabilities."""
    return {
        "image": f"${{LYCEUM_POSTGRES_IMAGE:-{_DEFAULTS['postgres_image'].default}}}",
        "command": ["postgres", "-c", f"max_connections={postgres.MAX_CONNECTIONS}"],
        "environment": {
            "POSTGRES_USER": postgres.ADMIN,
            "POSTGRES_PASSWORD_FILE": f"/run/secrets/{ADMIN_SECRET}",
            "PGDATA": "/var/lib/postgresql/18/data",
        },
        "secrets": [ADMIN_SECRET],
        "volumes": ["postgres:/var/lib/postgresql"],
        "networks": ["data"],
        "healthcheck": {"test": ["CMD", *_IS_READY], **_PROBE},
        **CONFINED,
        "cap_add": ["CHOWN", "DAC_READ_SEARCH", "FOWNER", "SETGID", "SETUID"],
        "tmpfs": [*CONFINED["tmpfs"], "/var/run/postgresql"],
        **LASTING,
        "stop_grace_period": "60s",
        "shm_size": "256m",
        **limits(memory_mb=2048),
    }


def database() -> dict[str, Any]:
    """The job that makes database, roles and schemas, and ends."""
    psql = f"psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --file=/{SCRIPT}"
    script = f'PGPASSWORD="$$(cat /run/secrets/{ADMIN_SECRET})" exec {psql}'
    return {
        "image": postgres_server()["image"],
        "entrypoint": ["/bin/sh", "-c", script],
        "environment": {"PGHOST": "postgres", "PGUSER": postgres.ADMIN, "PGDATABASE": "postgres"},
        "user": "10001:10001",
        "secrets": [ADMIN_SECRET, *(secret(name) for name in services())],
        "configs": [{"source": "databases", "target": f"/{SCRIPT}"}],
        "networks": ["data"],
        "depends_on": {"postgres": {"condition": "service_healthy"}},
        **CONFINED,
        "restart": "on-failure:3",
        **limits(memory_mb=256),
    }


def kafka_server() -> dict[str, Any]:
    """A broker of one node. Its root is writable: the public image writes its configuration below /opt/kafka."""
    told = {f"KAFKA_{name}": value for name, value in containers.KAFKA_SETTINGS.items()}
    return {
        "image": f"${{LYCEUM_KAFKA_IMAGE:-{_DEFAULTS['kafka_image'].default}}}",
        "environment": {
            **told,
            "KAFKA_ADVERTISED_LISTENERS": "CLIENT://kafka:9092",
            "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
        },
        "volumes": ["kafka:/var/lib/kafka/data"],
        "networks": ["data"],
        "healthcheck": {"test": ["CMD", "bash", "-c", "</dev/tcp/127.0.0.1/9092"], **_PROBE},
        **CONFINED,
        "read_only": False,
        **LASTING,
        "stop_grace_period": "60s",
        **limits(memory_mb=1536),
    }


def gateway() -> dict[str, Any]:
    """The gateway, which renders its configuration from this environment when it starts."""
    return {
        "image": image("gateway"),
        "environment": {
            **{f"{name.upper()}_TARGET": f"{host(name)}:{GRPC_PORT}" for name in services()},
            "JWT_ISSUER": PUBLIC_URL,
            "JWT_AUDIENCE": AUDIENCE,
            "WEB_TARGET": "web:15091",
            "PAGES_PORT": str(PAGES_PORT),
            "REQUESTS_PER_CLIENT_PER_S": str(LIMITS.requests_per_client_per_s),
            "CREDENTIALS_PER_CLIENT_PER_MIN": str(LIMITS.credentials_per_client_per_min),
            "DRAIN_NOTICE_S": DRAIN_NOTICE_S,
            "DRAIN_S": str(DRAIN_S),
        },
        "ports": ["127.0.0.1:${LYCEUM_PORT_GATEWAY:-8080}:8080"],
        "networks": ["edge", "pages", "services"],
        "depends_on": {host(name): {"condition": "service_healthy"} for name in services()},
        **CONFINED,
        **LASTING,
        "stop_grace_period": f"{DRAIN_S + 10}s",
        **limits(memory_mb=1024),
    }


def web() -> dict[str, Any]:
    """The pages for browsers. They know the gateway alone."""
    return {
        "image": image("web"),
        "environment": {
            "GATEWAY_URL": f"http://gateway:{PAGES_PORT}",
            "PUBLIC_URL": PUBLIC_URL,
            "KEY_DIR": KEYS,
            "DRAIN_NOTICE_S": DRAIN_NOTICE_S,
        },
        "volumes": [f"web-keys:{KEYS}"],
        "networks": ["pages"],
        "depends_on": {"gateway": {"condition": "service_healthy"}},
        **CONFINED,
        **LASTING,
        "stop_grace_period": f"{STOP_S}s",
        **limits(memory_mb=512),
    }


def simulator() -> dict[str, Any]:
    """The payment provider for trials, published so that buyers reach its pages."""
    return {
        "image": image("payment-simulator"),
        "environment": {"KEY_DIR": KEYS, "SIMULATOR_URL": "http://127.0.0.1:${LYCEUM_PORT_SIMULATOR:-15090}"},
        "volumes": [f"{SIMULATOR}-keys:{KEYS}", f"{SIMULATOR}-data:/data"],
        "ports": ["127.0.0.1:${LYCEUM_PORT_SIMULATOR:-15090}:15090"],
        "networks": ["edge", "services"],
        **CONFINED,
        **LASTING,
        "stop_grace_period": f"{STOP_S}s",
        **limits(memory_mb=256),
    }
