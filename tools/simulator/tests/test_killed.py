"""The simulator as a process that is killed at any moment: what it answered stays so."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from payment_simulator.pages import FILE

pytestmark = pytest.mark.servers

WAIT_S = 20.0
KILLS = 6
BUYERS = 3
SEED = 20


class Provider:
    """The process, started again in the same folder."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        told = {"KEY_DIR": str(self._folder), "DATA_DIR": str(self._folder), "SIMULATOR_PORT": str(self.port)}
        self._process = subprocess.Popen([sys.executable, "-m", "payment_simulator"], env={**os.environ, **told})
        give_up_at = time.monotonic() + WAIT_S
        while self.ask("/v1/book") is None:
            assert time.monotonic() < give_up_at, "it does not answer"
            time.sleep(0.02)  # between two looks at a condition with a deadline

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(WAIT_S)

    def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """The answer, None where there is none."""
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", data, timeout=WAIT_S) as answer:
                return dict(json.loads(answer.read()))
        except OSError:
            return None


def buy(provider: Provider, buyer: int, answered: dict[str, str], ended: threading.Event) -> None:
    """Create and pay one payment after the other; `answered` holds what the provider has said of each."""
    number = 0
    while not ended.is_set():
        number += 1
        name = f"b{buyer}-{len(answered)}-{number}"
        wanted = {
            "merchant_number": name,
            "amount_minor": 900,
            "currency": "CNY",
            "callback_url": "http://127.0.0.1:1/",
            "faults": {"lose": True},
        }
        for path, body in (("/v1/payments", wanted), (f"/v1/payments/{name}/pay", {})):
            if said := provider.ask(path, body):
                answered[name] = said["status"]


def test_given_kills_amid_payments_when_it_is_started_again_then_all_that_it_answered_stands(tmp_path: Path) -> None:
    provider, rng = Provider(tmp_path), random.Random(SEED)
    answered: dict[str, str] = {}
    for _ in range(KILLS):
        provider.start()
        ended = threading.Event()
        buyers = [threading.Thread(target=buy, args=(provider, n, answered, ended)) for n in range(BUYERS)]
        for thread in buyers:
            thread.start()
        ended.wait(rng.uniform(0.05, 0.4))
        provider.kill()
        ended.set()
        for thread in buyers:
            thread.join(WAIT_S)
    provider.start()
    try:
        found = {name: (provider.ask(f"/v1/payments/{name}") or {}).get("status") for name in answered}
    finally:
        provider.kill()
    further = {("pending", "paid")}  # it had paid and could not say so any more
    assert {(answered[n], found[n]) for n in answered if answered[n] != found[n]} <= further
    assert "paid" in answered.values()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
