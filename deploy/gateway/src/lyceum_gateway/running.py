"""`python -m lyceum_gateway.running --admin HOST:PORT [--render FILE] -- envoy …`: run Envoy, and end it without
cutting a request. With --render the configuration that the environment describes is written to FILE first, and what it
refers to beside it.

On SIGTERM or SIGINT the gateway says on /ready that it is not ready and serves on for DRAIN_NOTICE_S seconds (default
5), for those who route to it to notice; each answer from then on closes its connection. Then it accepts no new
connections, and once no request is active, at the latest after DRAIN_S seconds (default 30), Envoy is ended. Where
Envoy ends by itself, so does this, with its status.
"""

from __future__ import annotations

import argparse
import ctypes
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lyceum_gateway.environment import SettingMissing, SettingUnusable
from lyceum_gateway.writing import write_here

ASK_TIMEOUT_S = 2.0
LOOK_EVERY_S = 0.05
QUIET_LOOKS = 4
"""How many looks in a row must find no request: the next of a connection just answered may be on its way."""
END_S = 5.0
_PR_SET_PDEATHSIG = 1
_ACTIVE = re.compile(r"^http\.gateway\.downstream_rq_active: (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Drain:
    """How a gateway is asked to end, by its admin interface, and how long that may take."""

    host: str
    port: int
    notice_s: float
    within_s: float

    def run(self) -> None:
        """Drain. Blocks for at most `notice_s + within_s` and a little; an admin interface that does not answer ends
        it early: there is nothing left to wait for."""
        try:
            self._ask("POST", "/healthcheck/fail")
            time.sleep(self.notice_s)
            self._ask("POST", "/drain_listeners")
            self._wait_until_quiet()
        except (OSError, http.client.HTTPException) as failure:
            sys.stderr.write(f"the gateway could not be drained: {type(failure).__name__}\n")

    def _wait_until_quiet(self) -> None:
        give_up_at, quiet = time.monotonic() + self.within_s, 0
        while quiet < QUIET_LOOKS and time.monotonic() < give_up_at:
            time.sleep(LOOK_EVERY_S)
            quiet = quiet + 1 if self._active() == 0 else 0

    def _active(self) -> int:
        found = _ACTIVE.search(self._ask("GET", "/stats?filter=^http.gateway.downstream_rq_active$"))
        return int(found[1]) if found else 0

    def _ask(self, method: str, path: str) -> str:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=ASK_TIMEOUT_S)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()


def run(command: Sequence[str], drain: Drain) -> int:
    """Run Envoy until it ends or this process is signalled; returns Envoy's status, 0 where it was ended from here."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    # Ctrl-C is for this process alone; a kill -9 of it must not leave an Envoy behind that holds the port.
    envoy = subprocess.Popen(command, start_new_session=True, preexec_fn=_end_with_parent)
    threading.Thread(target=_tell_its_end, args=(envoy, stopped), daemon=True).start()
    stopped.wait()
    if envoy.poll() is not None:
        return envoy.returncode
    drain.run()
    return _end(envoy)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _tell_its_end(envoy: subprocess.Popen[bytes], stopped: threading.Event) -> None:
    envoy.wait()
    stopped.set()


def _end(envoy: subprocess.Popen[bytes]) -> int:
    envoy.terminate()
    try:
        envoy.wait(END_S)
    except subprocess.TimeoutExpired:
        envoy.kill()
        envoy.wait()
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="lyceum_gateway.running", description="Runs Envoy and drains it at its end.")
    parser.add_argument("--admin", required=True, metavar="HOST:PORT", help="Envoy's admin interface")
    parser.add_argument(
        "--render", type=Path, metavar="FILE", help="where the configuration is written before the start"
    )
    parser.add_argument("command", nargs="+", help="Envoy and its options, after --")
    parsed = parser.parse_args()
    if parsed.command == ["--help"]:  # asked of the image, whose entrypoint ends with --
        parser.print_help()
        return 0
    if parsed.render:
        try:
            write_here(os.environ, parsed.render)
        except (SettingMissing, SettingUnusable) as refusal:
            sys.exit(str(refusal))
    host, _, port = parsed.admin.rpartition(":")
    notice_s, within_s = (float(os.environ.get(*default)) for default in (("DRAIN_NOTICE_S", "5"), ("DRAIN_S", "30")))
    return run(parsed.command, Drain(host, int(port), notice_s, within_s))


if __name__ == "__main__":
    sys.exit(main())
