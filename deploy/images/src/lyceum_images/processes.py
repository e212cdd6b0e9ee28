"""The processes of a service as Compose describes them: `prepare`, the server, the worker, the relay, further roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lyceum_images.confined import CONFINED, LASTING, limits
from lyceum_images.databases import DATABASE, secret
from lyceum_local.services import AUDIENCE, DRAIN_NOTICE_S, MEMBER_CALLS_PER_S
from lyceum_tree import Service, host, services

GRPC_PORT = 50051
PUBLIC_URL = "http://127.0.0.1:${LYCEUM_PORT_GATEWAY:-8080}"
"""The gateway's address for clients, and the issuer of its tokens."""
GATEWAY_URL = "http://gateway:8080"
SIMULATOR = "simulator"
SIMULATOR_URL = f"http://{SIMULATOR}:15090"
STOP_S = 25
KEYS, KEYS_OF_OTHERS = "/keys", "/keys-of"
_WHERE_PROVIDERS_REACH = {"billing": {"PUBLIC_URL": GATEWAY_URL}}
"""Billing tells providers where to call back, which is inside the network here."""


def image(name: str) -> str:
    """The reference of an image of ours."""
    return f"${{LYCEUM_REPOSITORY:-lyceum}}/{name}:${{LYCEUM_VERSION:?make up CONTAINERS=1 sets it}}"


def of_service(service: Service) -> dict[str, Any]:
    """Every process of a service by its name."""
    name = host(service.name)
    further = {f"{name}-{host(role)}": _lasting(service, role) for role in service.further}
    return {
        f"{name}-prepare": _prepare(service),
        name: _lasting(service, "serve"),
        f"{name}-work": _lasting(service, "work"),
        f"{name}-relay": _lasting(service, "relay"),
        **further,
    }


def _prepare(service: Service) -> dict[str, Any]:
    after = {
        "database": {"condition": "service_completed_successfully"},
        "kafka": {"condition": "service_healthy"},
    }
    return {**_process(service, "prepare"), "depends_on": after, "restart": "on-failure:3"}


def _lasting(service: Service, role: str) -> dict[str, Any]:
    """A process that runs on. The server comes first, and with it the keys that all processes of a service share."""
    name = host(service.name)
    first = {f"{name}-prepare": {"condition": "service_completed_successfully"}}
    after = first if role == "serve" else {name: {"condition": "service_healthy"}}
    return {**_process(service, role), **LASTING, "depends_on": after, "stop_grace_period": f"{STOP_S}s"}


def _process(service: Service, role: str) -> dict[str, Any]:
    return {
        "image": image(service.name),
        "command": [role],
        "environment": environment(service, role),
        "secrets": [secret(service.name)],
        "volumes": [f"{host(service.name)}-keys:{KEYS}", *_keys_of_others(service)],
        "networks": ["services", "data", *(["outside"] if role in service.roles_call_out else [])],
        **CONFINED,
        **limits(memory_mb=1024),
    }


def _keys_of_others(service: Service) -> list[dict[str, Any]]:
    """Key folders of others that the service asks for; `nocopy` leaves it to the owner to fill a fresh one."""
    return [
        {
            "type": "volume",
            "source": f"{owner}-keys",
            "target": f"{KEYS_OF_OTHERS}/{owner}",
            "read_only": True,
            "volume": {"nocopy": True},
        }
        for owner in service.keys_of.values()
    ]


def environment(service: Service, role: str) -> Mapping[str, str]:
    """What a process is told; the password of its database is in its secret."""
    told = {f"{peer.upper()}_TARGET": f"{host(peer)}:{GRPC_PORT}" for peer in services()}
    return told | {
        "LYCEUM_PROFILE": "${LYCEUM_PROFILE:-local}",
        "DATABASE_URL": f"postgresql://{service.name}@postgres:5432/{DATABASE}?service={service.name}",
        "PGSERVICEFILE": f"/run/secrets/{secret(service.name)}",
        "KAFKA_BOOTSTRAP": "kafka:9092",
        "TOPIC_PREFIX": "",
        "GROUP_PREFIX": "",
        "GRPC_HOST": "0.0.0.0",  # noqa: S104 - inside its container
        "GRPC_PORT": str(GRPC_PORT if role == "serve" else 0),
        "RELAY_INLINE": "false",
        "DRAIN_NOTICE_S": DRAIN_NOTICE_S,
        "MEMBER_CALLS_PER_S": MEMBER_CALLS_PER_S,
        "KEY_DIR": KEYS,
        "JWT_ISSUER": PUBLIC_URL,
        "JWT_AUDIENCE": AUDIENCE,
        "WEBHOOKS_ALLOW_LOCAL": "${WEBHOOKS_ALLOW_LOCAL:-false}",
        "PAYMENT_SIMULATOR_URL": SIMULATOR_URL,
        "PUBLIC_URL": PUBLIC_URL,
        "PYTHONUNBUFFERED": "1",
        **{variable: f"{KEYS_OF_OTHERS}/{owner}" for variable, owner in service.keys_of.items()},
        **_WHERE_PROVIDERS_REACH.get(service.name, {}),
    }
