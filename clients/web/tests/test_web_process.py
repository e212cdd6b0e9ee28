"""The process: its settings, its start, its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from browser_stand_in import form_fields
from pydantic import ValidationError

from lyceum_web.settings import WebSettings

READY_S, END_S = 20.0, 20.0
SLOW_S = 1.0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class _SlowGateway(BaseHTTPRequestHandler):
    """Refuses every log-in, after a second."""

    arrived = threading.Event()

    def do_POST(self) -> None:
        self.arrived.set()
        time.sleep(SLOW_S)
        self.send_response(401)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - so the base class calls it
        """Nothing."""


@contextlib.contextmanager
def _slow_gateway() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _SlowGateway)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def _process(folder: Path, gateway: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    port = _free_port()
    told = {"GATEWAY_URL": gateway, "PUBLIC_URL": f"http://127.0.0.1:{port}", "KEY_DIR": str(folder / "keys")}
    told |= {"WEB_PORT": str(port), "DRAIN_NOTICE_S": "0.3"}
    process = subprocess.Popen(
        [sys.executable, "-m", "lyceum_web"], env={**os.environ, **told}, stdout=subprocess.PIPE, text=True
    )
    try:
        with httpx.Client(base_url=told["PUBLIC_URL"], timeout=10) as client:
            _await_ready(client)
            yield process, client
    finally:
        process.kill()
        process.wait()


def _await_ready(client: httpx.Client) -> None:
    give_up_at = time.monotonic() + READY_S
    while True:
        with contextlib.suppress(httpx.TransportError):
            client.get("/web/healthz").raise_for_status()
            return
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def test_on_sigterm_it_says_that_it_drains_finishes_what_has_begun_and_ends_well(tmp_path: Path) -> None:
    with _slow_gateway() as gateway, _process(tmp_path, gateway) as (process, client):
        form = client.get("/web/login").text
        proof = form_fields(form, "/web/login")["csrf"]
        answers: list[int] = []
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())

        def log_in() -> None:
            told = {"csrf": proof, "username": "ada", "password": "x"}
            address = client.base_url.join("/web/login")
            answers.append(httpx.post(address, data=told, headers={"cookie": cookies}, timeout=10).status_code)

        sending = threading.Thread(target=log_in)
        sending.start()
        assert _SlowGateway.arrived.wait(READY_S)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        assert client.get("/web/healthz").status_code == 503
        sending.join(END_S)
        out, _ = process.communicate(timeout=END_S)
        assert answers == [401] and process.returncode == 0
        assert [json.loads(line)["event"] for line in out.splitlines()][-1] == "ended"


def test_without_its_settings_it_names_them_and_repeats_no_value(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    told = {**kept, "GATEWAY_URL": "ftp://secret@gateway"}
    ran = subprocess.run(
        [sys.executable, "-m", "lyceum_web"], env=told, capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == 2 and {"GATEWAY_URL", "PUBLIC_URL", "KEY_DIR"} <= set(ran.stderr.replace(":", " ").split())
    assert "secret" not in ran.stderr and "Traceback" not in ran.stderr


def test_with_a_key_that_others_may_read_it_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "cookie.key").write_text("x")
    (tmp_path / "cookie.key").chmod(0o644)
    told = {"GATEWAY_URL": "http://g", "PUBLIC_URL": "http://p", "KEY_DIR": str(tmp_path), "WEB_PORT": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "lyceum_web"],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 1 and "may be read by others" in ran.stderr and "Traceback" not in ran.stderr


@pytest.mark.parametrize("url", ["gateway:8080", "http://", "http://g/path", "http://g?x=1", "http://u:p@g"])
def test_an_address_that_is_none_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError):
        WebSettings(gateway_url=url, public_url="http://p", key_dir=Path("/nowhere"))
