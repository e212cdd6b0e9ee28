"""A gateway started as its image starts it: it renders its configuration itself, and shows its own figures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from edge_stand_in import AUDIENCE, ENVOY, ISSUER, READY_S

from lyceum_gateway.services import SERVICES
from lyceum_local.ports import free_port

ENDS_WITHIN_S = 20.0


@dataclass
class Started:
    process: subprocess.Popen[str]
    public: str
    figures: str


def environment(**changes: str) -> dict[str, str]:
    targets = {f"{name.upper()}_TARGET": f"127.0.0.1:{free_port()}" for name in SERVICES}
    told = {"JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "DRAIN_NOTICE_S": "2", "DRAIN_S": "5"}
    return os.environ | targets | told | changes


def start(config: Path, told: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lyceum_gateway.running", "--admin", f"127.0.0.1:{told.get('ADMIN_PORT', '9901')}"]
    envoy = [str(ENVOY), "--config-path", str(config), "--disable-hot-restart", "--log-level", "error"]
    return subprocess.Popen(
        [*command, "--render", str(config), "--", *envoy], env=told, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    public, figures, admin = free_port(), free_port(), free_port()
    told = environment(LISTENER_PORT=str(public), METRICS_PORT=str(figures), ADMIN_PORT=str(admin))
    one = Started(start(tmp_path / "envoy.yaml", told), f"http://127.0.0.1:{public}", f"http://127.0.0.1:{figures}")
    give_up_at = time.monotonic() + READY_S
    while asked(f"{one.public}/ready") != 200 and time.monotonic() < give_up_at:
        time.sleep(0.05)
    yield one
    one.process.kill()
    one.process.communicate()


def asked(url: str, method: str = "GET") -> int:
    try:
        return httpx.request(method, url, timeout=2).status_code
    except httpx.TransportError:
        return 0


def test_figures_are_shown_at_a_door_of_their_own(started: Started) -> None:
    page = httpx.get(f"{started.figures}/stats/prometheus", timeout=5)
    assert page.status_code == 200
    assert 'envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix="gateway"}' in page.text
    assert asked(f"{started.public}/stats/prometheus") == 404, "the door for everybody does not show them"


@pytest.mark.parametrize("path", ["/quitquitquit", "/healthcheck/fail", "/config_dump", "/stats", "/live/..", "/"])
def test_nothing_else_of_the_admin_interface_is_reached(started: Started, path: str) -> None:
    for method in ("GET", "POST"):
        assert asked(f"{started.figures}{path}", method) == 404
    assert asked(f"{started.figures}/live", "POST") == 404
    assert asked(f"{started.figures}/live") == 200


def test_it_lives_while_it_drains_and_then_ends(started: Started) -> None:
    started.process.send_signal(signal.SIGTERM)
    give_up_at = time.monotonic() + ENDS_WITHIN_S
    while asked(f"{started.public}/ready") == 200 and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert asked(f"{started.figures}/live") == 200, "a prober must not kill what drains"
    assert started.process.wait(ENDS_WITHIN_S) == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"JWT_ISSUER": ""}, "JWT_ISSUER is not set"), ({"METRICS_PORT": "x"}, "METRICS_PORT must be a whole number")],
)
def test_a_wrong_environment_is_refused_in_one_line(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    process = start(tmp_path / "envoy.yaml", environment(**changes))
    _, complaint = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 1 and complaint.strip() == said
    assert not (tmp_path / "envoy.yaml").exists()
