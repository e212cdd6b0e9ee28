"""The web client: pages for browsers, behind the gateway."""

import hashlib
import sys
from importlib.util import find_spec
from pathlib import Path

from lyceum_gateway.pages import Pages
from lyceum_local.health import http_complaint
from lyceum_local.ports import LOOPBACK
from lyceum_local.program import Program
from lyceum_local.services import DRAIN_NOTICE_S, Surroundings
from lyceum_tree import ROOT

PINS = ROOT / "clients" / "web" / "package-lock.json"
STOP_WAIT_S = 20
"""More than a request may take."""


def is_installed() -> bool:
    """Whether this environment has the web client."""
    return find_spec("lyceum_web") is not None


def chart_dir(cache_dir: Path) -> Path:
    """Where `clients/web/fetch.sh` puts the chart library; it need not be there."""
    return cache_dir / f"web-{hashlib.sha256(PINS.read_bytes()).hexdigest()[:8]}"


def program(around: Surroundings, cache_dir: Path) -> Program:
    """The process. Once the chart library is there, it is another program, so it restarts."""
    charts = chart_dir(cache_dir)
    variables = {
        "WEB_HOST": LOOPBACK,
        "WEB_PORT": str(around.ports.web),
        "GATEWAY_URL": f"http://{LOOPBACK}:{around.ports.gateway_pages}",
        "PUBLIC_URL": around.public_url,
        "KEY_DIR": str(around.key_dir("web")),
        "DRAIN_NOTICE_S": DRAIN_NOTICE_S,
        "PYTHONUNBUFFERED": "1",
        **({"CHART_DIR": str(charts)} if charts.is_dir() else {}),
    }
    return Program("web", (sys.executable, "-m", "lyceum_web"), variables, stop_wait_s=STOP_WAIT_S)


def pages(around: Surroundings) -> Pages | None:
    """What the gateway must know of it."""
    return Pages(LOOPBACK, around.ports.web, around.ports.gateway_pages) if is_installed() else None


def complaint(around: Surroundings) -> str | None:
    """None if it serves."""
    return http_complaint(f"http://{LOOPBACK}:{around.ports.web}/web/healthz")
