"""The supervisor (supervisord) that keeps the stack's processes alive after the command that started them has ended.

It is called over a unix socket. Each program has its own ini file, so programs can be added while others run.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport

from lyceum_local.errors import NotReady, NotRunning, UnknownProcess
from lyceum_local.leftovers import MARK, end_leftovers
from lyceum_local.program import Program
from lyceum_local.waiting import poll, tail

READY_WAIT_S = 20.0
STOP_WAIT_S = 60.0
ENDED = ("STOPPED", "EXITED", "FATAL")
CONFIG = """\
[unix_http_server]
file = {socket}
chmod = 0700

[supervisord]
identifier = lyceum
pidfile = {home}/supervisord.pid
logfile = {home}/supervisord.log
logfile_maxbytes = 1000000
logfile_backups = 1
childlogdir = {logs}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[include]
files = {programs}/*.ini
"""
NOT_INHERITED = ("MAKE", "MFLAGS")
"""Variables of a surrounding `make` that its child processes must not inherit."""


@dataclass(frozen=True)
class ProcessState:
    """What the supervisor knows of one process; `pid` is 0 if it does not run."""

    name: str
    state: str
    pid: int
    description: str


class Supervisor:
    """The supervisor of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._programs = data_dir / "supervisor" / "programs"
        self._config = data_dir / "supervisor" / "supervisord.conf"
        self._own_log = self._config.with_name("supervisord.log")
        self.logs = data_dir / "logs"
        self._defining = threading.Lock()

    @property
    def socket(self) -> Path:
        """The socket's path, short even for a long data folder, because the kernel allows at most 107 bytes."""
        name = hashlib.sha256(str(self._data_dir).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"lyceum-{os.getuid()}-{name}" / "supervisor.sock"

    def running(self) -> bool:
        """Whether the supervisor answers."""
        try:
            return bool(self._rpc().getState()["statename"] == "RUNNING")
        except (OSError, Fault):
            return False

    def ensure_running(self) -> None:
        """Starts the supervisor unless it answers; first ends processes that a killed one left. Raises NotReady."""
        if self.running():
            return
        end_leftovers(self._data_dir)
        self._launch()

    def end_strays(self) -> None:
        """Ends processes that a killed command left running outside the supervisor (an unfinished `prepare`)."""
        end_leftovers(self._data_dir, spare=self.pid())

    def _launch(self) -> None:
        self._write_config()
        environment = {key: value for key, value in os.environ.items() if not key.startswith(NOT_INHERITED)}
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)]
        started = subprocess.run(
            command, env={**environment, MARK: str(self._data_dir)}, capture_output=True, text=True, check=False
        )
        reason = poll(
            lambda: None if self.running() else f"exit code {started.returncode}",
            READY_WAIT_S if started.returncode == 0 else 0,
        )
        if reason:
            raise NotReady(
                part="supervisor", wait_s=READY_WAIT_S, reason=reason, log=self._own_log, tail=tail(started.stderr)
            )

    def define(self, program: Program) -> None:
        """Makes `program` known without starting it. A running process whose definition changed is stopped."""
        file = self._programs / f"{program.name}.ini"
        text = program.section(self.logs)
        with self._defining:  # two rereads at once would each add the other's program too
            if file.exists() and file.read_text() == text and program.name in self.states():
                return
            _write_private(file, text)
            self._reread()

    def _reread(self) -> None:
        rpc = self._rpc()
        added, changed, removed = rpc.reloadConfig()[0]
        for name in changed + removed:
            self.stop([name])
            rpc.removeProcessGroup(name)
        for name in added + changed:
            rpc.addProcessGroup(name)

    def start(self, name: str) -> None:
        """Starts a defined process and returns at once; a running one is left alone."""
        self._ask("startProcess", name, False, forgive=Faults.ALREADY_STARTED)

    def stop(self, names: Sequence[str]) -> None:
        """Stops the named processes at the same time and waits until they have ended; stopped ones are left alone."""
        for name in names:
            self._ask("stopProcess", name, False, forgive=Faults.NOT_RUNNING)
        left = poll(lambda: self._still_running(names), STOP_WAIT_S)
        if left:
            raise NotReady(part=left, wait_s=STOP_WAIT_S, reason="it does not stop", log=None, tail="")

    def _still_running(self, names: Sequence[str]) -> str | None:
        states = self.states()
        return ", ".join(name for name in names if states[name].state not in ENDED) or None

    def signal(self, name: str, signal_name: str) -> None:
        """Sends KILL, STOP, CONT or another signal to a running process. The supervisor starts a killed one again."""
        self._ask("signalProcess", name, signal_name)

    def states(self) -> dict[str, ProcessState]:
        """Every defined process by name; raises NotRunning if no supervisor answers."""
        try:
            infos: Any = self._rpc().getAllProcessInfo()
        except OSError as refused:
            raise NotRunning(self._data_dir) from refused
        return {i["name"]: ProcessState(i["name"], i["statename"], int(i["pid"]), i["description"]) for i in infos}

    def state(self, name: str) -> ProcessState:
        """One process; raises UnknownProcess or NotRunning."""
        states = self.states()
        if name not in states:
            raise UnknownProcess(name, sorted(states))
        return states[name]

    def shutdown(self) -> None:
        """Ends the supervisor and its remaining processes; does nothing if none runs."""
        if self.running():
            self._rpc().shutdown()
            poll(lambda: "still there" if self.running() else None, STOP_WAIT_S)
        end_leftovers(self._data_dir)
        shutil.rmtree(self.socket.parent, ignore_errors=True)

    def pid(self) -> int:
        """The supervisor's own process id."""
        return int(self._rpc().getPID())

    def _ask(self, method: str, name: str, *arguments: object, forgive: int | None = None) -> None:
        try:
            getattr(self._rpc(), method)(name, *arguments)
        except Fault as fault:
            if fault.faultCode == Faults.BAD_NAME:
                raise UnknownProcess(name, sorted(self.states())) from fault
            if fault.faultCode != forgive:
                raise
        except OSError as refused:
            raise NotRunning(self._data_dir) from refused

    def _rpc(self) -> Any:
        return ServerProxy(
            "http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{self.socket}")
        ).supervisor

    def _write_config(self) -> None:
        for folder in (self._programs, self.logs, self.socket.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket.unlink(missing_ok=True)
        _write_private(
            self._config,
            CONFIG.format(socket=self.socket, home=self._config.parent, logs=self.logs, programs=self._programs),
        )


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
