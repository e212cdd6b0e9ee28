"""The gateway and the pages behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lyceum_k8s.facts import Facts
from lyceum_k8s.objects import (
    GRPC_PORT,
    KEPT,
    METRICS_PORT,
    ROLE,
    SERVICE,
    SETTINGS,
    VERSION,
    WORKLOAD,
    Mount,
    Object,
    Process,
    account,
    deployment,
    disruption_budget,
    labels,
    metadata,
    pod,
    secret,
    shared_volume,
    spread,
)
from lyceum_k8s.sizes import GATEWAY, WEB

GATEWAY_HTTP_PORT, GATEWAY_PAGES_PORT, WEB_PORT = 8080, 8081, 15091
GATEWAY_NOTICE_S, GATEWAY_DRAIN_S = 10, 30
WEB_NOTICE_S = 5


def gateway() -> Iterator[Object]:
    """Envoy with the configuration that it renders from its settings when it starts: the same as on one machine."""
    told = labels("gateway", "gateway", "gateway")
    process = Process(
        name="gateway",
        image=f"lyceum/gateway:{VERSION}",
        size=GATEWAY,
        ports={"http": GATEWAY_HTTP_PORT, "pages": GATEWAY_PAGES_PORT, "metrics": METRICS_PORT},
        settings=(SETTINGS, "gateway-settings"),
        mounts=[secret("tls", "/tls", "gateway-tls")],
        probes={
            "startupProbe": _asks("/live", "metrics", 2, 45),
            "readinessProbe": _asks("/ready", "http", 5, 2),
            "livenessProbe": _asks("/live", "metrics", 15, 4),
        },
    )
    yield account(told)
    yield _service(told, {"http": GATEWAY_HTTP_PORT})
    yield _service(told, {"pages": GATEWAY_PAGES_PORT}, name="gateway-for-pages")
    yield _deployment(told, process, GATEWAY_NOTICE_S + GATEWAY_DRAIN_S + 15)
    yield disruption_budget(told)


def web() -> Iterator[Object]:
    """The pages for browsers, which ask the gateway at a door of their own."""
    told = labels("web", "web", "web")
    process = Process(
        name="web",
        image=f"lyceum/web:{VERSION}",
        size=WEB,
        ports={"http": WEB_PORT},
        settings=("web-settings",),
        variables=[{"name": "KEY_DIR", "value": "/keys"}],
        mounts=[Mount("keys", "/keys", {"persistentVolumeClaim": {"claimName": "web-keys"}}, read_only=False)],
        probes={
            "startupProbe": _asks("/web/healthz", "http", 2, 45),
            "readinessProbe": _asks("/web/healthz", "http", 5, 2),
            "livenessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 15, "failureThreshold": 4},
        },
        notice_s=WEB_NOTICE_S,
    )
    yield account(told)
    yield _service(told, {"http": WEB_PORT})
    yield _deployment(told, process, WEB_NOTICE_S + 30)
    yield disruption_budget(told)
    yield shared_volume("web-keys", {SERVICE: "web", "app.kubernetes.io/part-of": "lyceum", ROLE: "keys"}, KEPT)


def targets(services: Sequence[Facts]) -> dict[str, str]:
    """Where each service's server is found, for all who ask: <SERVICE>_TARGET."""
    return {f"{one.name.upper()}_TARGET": f"{one.host}:{GRPC_PORT}" for one in services}


def _asks(path: str, port: str, every_s: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": every_s,
        "failureThreshold": failures,
        "timeoutSeconds": 3,
    }


def _service(told: dict[str, str], ports: dict[str, int], name: str = "") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name or told[WORKLOAD], told),
        "spec": {
            "selector": {WORKLOAD: told[WORKLOAD]},
            "ports": [
                {"name": one, "port": port, "targetPort": one, "appProtocol": "http"} for one, port in ports.items()
            ],
        },
    }


def _deployment(told: dict[str, str], process: Process, grace_s: int) -> Object:
    spread_out = spread(told[WORKLOAD])
    return deployment(told, 2, pod(process, told, grace_s, topologySpreadConstraints=spread_out))
