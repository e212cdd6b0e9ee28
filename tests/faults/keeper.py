"""Keeps processes running: a process that ends is started again at once, and its exit status is recorded."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

LOOK_S = 0.05
END_WAIT_S = 10.0
SUPPORT = Path(__file__).parents[2] / "libs" / "eventfold" / "tests" / "support"


class Keeper:
    """Processes by name; the output of each goes to its own file in `logs`."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._commands: dict[str, list[str]] = {}
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._over = threading.Event()
        self.ended: list[tuple[str, int, int]] = []
        """Name, pid and exit status (minus the signal number for a signal) of each ended process."""
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def start(self, name: str, module: str, arguments: Sequence[str]) -> None:
        self._commands[name] = [sys.executable, "-m", module, *arguments]
        self._launch(name)
        if not self._thread.is_alive():
            self._thread.start()

    def _launch(self, name: str) -> None:
        path = os.pathsep.join([str(SUPPORT), str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
        with (self._logs / f"{name}.log").open("a") as log:
            self._running[name] = subprocess.Popen(
                self._commands[name],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                bufsize=1,
                env={**os.environ, "PYTHONPATH": path},
            )

    def _keep(self) -> None:
        while not self._over.wait(LOOK_S):
            for name, process in list(self._running.items()):
                if process.poll() is not None:
                    self.ended.append((name, process.pid, process.returncode))
                    self._launch(name)

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._running.items()}

    def signal(self, name: str, number: int) -> int:
        """Send a signal; returns the pid that received it."""
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def tell(self, name: str, line: str) -> None:
        """Write one line to the process's input."""
        pipe = self._running[name].stdin
        assert pipe is not None
        pipe.write(line + "\n")
        pipe.flush()

    def how_it_ended(self, pid: int) -> int | None:
        """The exit status of one of these processes; None while it runs."""
        return next((status for _, ended, status in list(self.ended) if ended == pid), None)

    def stop(self) -> None:
        """End all processes for good."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(END_WAIT_S)
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait(END_WAIT_S)


def until(condition: object, deadline_s: float, look_s: float = LOOK_S) -> float | None:
    """Poll a callable until it returns a true value. Returns the time of that, or None after `deadline_s`."""
    assert callable(condition)
    give_up_at = time.monotonic() + deadline_s
    while time.monotonic() < give_up_at:
        if condition():
            return time.time()
        time.sleep(look_s)
    return None
